//! `kill -9` of the real binary, at random moments and at each step of a delivery, while people talk.

mod points;
