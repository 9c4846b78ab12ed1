-- SQLite has its indexes of open rows made anew. PostgreSQL finds by its statistics which of two says more, and keeps those
-- that it has.
SELECT 1;
