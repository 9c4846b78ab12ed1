//! How the names of a session are compared: as its server has said, else as its network's servers have last said, else by
//! RFC 1459. Where that is otherwise from now on, what is stored by names follows.

use super::Actor;
use crate::names::{CaseMap, CaseMapping};
use crate::store::StoreError;

impl Actor {
    /// The server has said of itself how it compares names.
    pub(super) async fn follow_casemapping(&mut self) -> Result<(), StoreError> {
        let Some(link) = &self.link else { return Ok(()) };
        let mapping = link.session.isupport().casemapping();
        self.compare_by(mapping);
        // The network's channels first: a buffer's is one of them.
        self.remember_network().await?;
        self.refold_buffers().await
    }

    /// While there is no connection: others may be connected, and have learnt it, since this session began.
    pub(super) async fn follow_network(&mut self) -> Result<(), StoreError> {
        let mapping = self.bridge.mapping_of(&self.row.network);
        let is_told = self.link.as_ref().is_some_and(|link| link.session.registered_at().is_some());
        if is_told || mapping == self.buffers.mapping() {
            return Ok(());
        }
        self.compare_by(mapping);
        self.refold_buffers().await
    }

    fn compare_by(&mut self, mapping: CaseMapping) {
        self.buffers.set_mapping(mapping);
        self.netsplits.set_mapping(mapping);
        self.set_whereabouts_mapping(mapping);
        // An id belongs to a folded nick: under another folding it must be looked up anew.
        if self.ghosts.mapping() != mapping {
            self.ghosts = CaseMap::new(mapping);
            self.standings = CaseMap::new(mapping);
        }
        self.apply_charsets();
    }

    /// A buffer may have been stored when nobody knew how names are compared: by that name another's would be taken for it.
    async fn refold_buffers(&mut self) -> Result<(), StoreError> {
        let mapping = self.buffers.mapping();
        // A conversation that has got another name in what was just read still has the old one in the store.
        if !self.incoming.heirs.is_empty() {
            self.commit_incoming().await?;
        }
        for (buffer, folded) in self.bridge.store.refold_buffers(self.row.id, mapping).await? {
            if let Some(place) = self.buffers.find_id(buffer) {
                self.buffers.get_mut(place).row.folded = folded;
            }
        }
        Ok(())
    }
}
