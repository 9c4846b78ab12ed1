//! A command under way: how long it takes is seen under it, how far it has come in one message that is edited, and in
//! the end whether it was done.
//!
//! An hourglass stands under a command that takes more than a moment. When it has its answer, a sign says whether it was
//! done. What stands there is rows of the outbox, and that a command is under way is stored before it begins: no crash
//! leaves an hourglass standing, or a command without an answer.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{Answer, Bridge, Call, End, Place};
use crate::bridge::Manners;
use crate::bridge::content::{self, MessageType, unique};
use crate::bridge::ghosts::GhostError;
use crate::bridge::session::Signs;
use crate::config::Permission;
use crate::format::RichText;
use crate::store::{Errand, NewOutbox, RoomRow, StoreError, User};

const HOURGLASS: &str = "⏳";
const DONE: &str = "✅";
const FAILED: &str = "❌";
const ASKS: &str = "❓";
/// How long a command may take before the hourglass appears.
const MOMENT: Duration = Duration::from_secs(2);
/// How far a command has come is told after so long, and again after as long, in milliseconds.
const BETWEEN: i64 = 3_000;

/// Tells how far a command has come, in one message that is edited, and becomes the answer.
#[derive(Debug, Clone)]
pub struct Progress(Arc<Shown>);

#[derive(Debug)]
struct Shown {
    room: i64,
    speaker: String,
    /// When the command began, in milliseconds since 1970.
    begun: i64,
    /// The transaction id of the message, and when it was last told.
    message: Mutex<Option<(String, i64)>>,
}

impl Progress {
    fn new(room: i64, speaker: &str, begun: i64) -> Self {
        Self(Arc::new(Shown { room, speaker: speaker.to_owned(), begun, message: Mutex::default() }))
    }

    /// Tells how far it has come, unless it has just begun or that was told a moment ago. Nothing depends on it: what
    /// can't be stored is not told.
    pub async fn show(&self, bridge: &Bridge, text: &RichText) {
        let Shown { room, speaker, begun, message } = &*self.0;
        let now = bridge.unix_ms();
        if now.saturating_sub(*begun) < BETWEEN {
            return;
        }
        let last = message.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let content = content::message(MessageType::Notice, text, None);
        let (row, first) = match last {
            Some((_, at)) if now.saturating_sub(at) < BETWEEN => return,
            Some((txn_id, _)) => match bridge.store.event_of_request(&txn_id).await {
                Ok(Some(event_id)) => {
                    let edit = content::in_place_of(content, &event_id);
                    (content::message_row(*room, speaker, edit, None), txn_id)
                }
                Ok(None) | Err(_) => return,
            },
            None => {
                let row = content::message_row(*room, speaker, content, None);
                let txn_id = row.txn_id.clone();
                (row, txn_id)
            }
        };
        if bridge.enqueue(vec![row]).await.is_ok() {
            *message.lock().unwrap_or_else(PoisonError::into_inner) = Some((first, now));
            bridge.wake_delivery(*room);
        }
    }

    /// The message that tells it, once there is one.
    async fn event(&self, bridge: &Bridge) -> Option<String> {
        let last = self.0.message.lock().unwrap_or_else(PoisonError::into_inner).clone();
        bridge.store.event_of_request(&last?.0).await.ok().flatten()
    }
}

/// Where a command was typed, and by which message.
pub(super) struct Typed<'a> {
    pub(super) seq: i64,
    pub(super) event_id: &'a str,
    pub(super) room: &'a RoomRow,
    /// Who answers there.
    pub(super) speaker: &'a str,
}

impl Bridge {
    /// Carries a command out: from the first commit on, nothing is done twice.
    pub(super) async fn run_errand(&self, typed: Typed<'_>, mut call: Call) -> Result<(), StoreError> {
        let Typed { seq, event_id, room, speaker } = typed;
        let mut taken_back = Vec::new();
        let is_secret = self.console.holds_secret(&call);
        if is_secret {
            taken_back.push(content::redact_row(room.id, speaker, event_id, "It held a password"));
        }
        let errand = Errand {
            room: room.id,
            event_id: event_id.to_owned(),
            speaker: speaker.to_owned(),
            hourglass: unique(),
        };
        let user = call.user.clone();
        self.note_commanding(&user.user_id).await;
        self.begin_errand(seq, user.id, &errand, taken_back).await?;
        self.wake_delivery(room.id);
        let has_signs = !is_secret && self.shows_signs(&call).await;
        let progress = Progress::new(room.id, speaker, self.clock.unix_ms());
        call.progress = Some(progress.clone());
        let (answer, waits) = self.answer_of(call, &errand, has_signs).await;
        if let Some(Ok(Some((room, mut rows)))) = self.insist(|| self.room_instead(&errand, &user)).await {
            let speaker = self.looker(&room.creator);
            rows.push(content::message_row(room.id, speaker, content::answer(answer.text), None));
            self.finish_errand(&user, room.id, &errand, rows).await;
            return Ok(());
        }
        let mut rows = Vec::new();
        if waits {
            rows.push(content::unreact_row(room.id, speaker, &errand.hourglass));
        }
        let content = match progress.event(self).await {
            Some(event_id) => content::answer_in_place_of(answer.text, &event_id),
            None => content::answer(answer.text),
        };
        rows.push(content::message_row(room.id, speaker, content, None));
        if has_signs {
            let sign = match answer.end {
                End::Done => DONE,
                End::Failed => FAILED,
                End::Asks => ASKS,
            };
            rows.push(content::reaction_row(room.id, speaker, event_id, sign));
        }
        self.finish_errand(&user, room.id, &errand, rows).await;
        Ok(())
    }

    /// Whether signs stand under a command: none do where its writer wants none, nor under what is taken back.
    async fn shows_signs(&self, call: &Call) -> bool {
        let (session, buffer) = match call.place {
            Place::Control => (None, None),
            Place::Network(session) => (Some(session), None),
            Place::Buffer { session, buffer, .. } => (Some(session), Some(buffer)),
        };
        let session = session.and_then(|session| self.session(session));
        let (session, network) =
            session.as_ref().map_or((0, ""), |session| (session.row.id, session.row.network.as_str()));
        match Manners::load(self, call.user.id, session, network).await {
            Ok(manners) => manners.choice_in::<Signs>(buffer) == Signs::Show,
            Err(error) => {
                tracing::warn!(%error, "whether a command has signs can't be read");
                true
            }
        }
    }

    async fn finish_errand(&self, user: &User, room: i64, errand: &Errand, rows: Vec<NewOutbox>) {
        let end = || async { Ok(self.end_errand(user.id, rows.clone()).await?) };
        if let Some(Err(error)) = self.insist(end).await {
            tracing::error!(event = %errand.event_id, %error, "the answer to a command was lost");
        }
        self.wake_delivery(room);
    }

    /// Where a command is answered that ended the room in which it was typed, and what must be asked first for that.
    async fn room_instead(
        &self,
        errand: &Errand,
        user: &User,
    ) -> Result<Option<(RoomRow, Vec<NewOutbox>)>, GhostError> {
        match self.store.room(errand.room).await? {
            Some(_) => Ok(None),
            None => Ok(Some(self.way_to(user.id, &user.user_id).await?)),
        }
    }

    /// What a command comes to, and whether its hourglass stands.
    async fn answer_of(&self, call: Call, errand: &Errand, has_signs: bool) -> (Answer, bool) {
        if call.permission == Permission::None {
            let text = RichText::plain(match self.exclusion_of(&call.user.user_id) {
                Some(why) => format!("You are {why}."),
                None => "You have no permission to use this bridge any more.".to_owned(),
            });
            return (Answer { text, end: End::Failed }, false);
        }
        let answering = self.console.answer(self, call);
        tokio::pin!(answering);
        tokio::select! {
            answer = &mut answering => return (answer, false),
            () = tokio::time::sleep(MOMENT) => {}
        }
        // Both: the command may hold what others wait for.
        let turning = async { has_signs && self.turn_hourglass(errand).await };
        tokio::join!(answering, turning)
    }

    async fn turn_hourglass(&self, errand: &Errand) -> bool {
        let Errand { room, event_id, speaker, hourglass } = errand;
        let mut row = content::reaction_row(*room, speaker, event_id, HOURGLASS);
        row.txn_id.clone_from(hourglass);
        let turned = self.enqueue(vec![row]).await.is_ok();
        self.wake_delivery(*room);
        turned
    }

    /// Answers the commands that the last process left under way.
    pub(in crate::bridge) async fn take_up_errands(&self) -> Result<(), StoreError> {
        for (user, errand) in self.store.errands().await? {
            match self.take_up_errand(user, &errand).await {
                Ok(room) => self.wake_delivery(room),
                Err(error) if matches!(error, StoreError::Closed) || error.is_temporary() => {
                    return Err(error);
                }
                // One that can't be answered keeps nobody from starting.
                Err(error) => {
                    tracing::error!(event = %errand.event_id, %error, "a command that was under way can't be answered");
                }
            }
        }
        Ok(())
    }

    /// Answers one of them where it was typed, or in the control room where that room is one no more. Returns where.
    async fn take_up_errand(&self, user: i64, errand: &Errand) -> Result<i64, StoreError> {
        if self.store.room(errand.room).await?.is_some() {
            self.end_errand(user, left_under_way(errand)).await?;
            return Ok(errand.room);
        }
        let user_id = self.store.user_id(user).await?;
        let (room, mut rows) = self.way_to(user, &user_id).await?;
        let text = RichText::plain(
            "Towline was stopped while it carried out your last command, and the room in which you typed that is closed \
             now. Look how things stand, and type it again if need be.",
        );
        let content = content::message(MessageType::Notice, &text, None);
        rows.push(content::message_row(room.id, self.looker(&room.creator), content, None));
        self.end_errand(user, rows).await?;
        Ok(room.id)
    }
}

/// What is said of a command that was under way when the process ended.
fn left_under_way(Errand { room, event_id, speaker, hourglass }: &Errand) -> Vec<NewOutbox> {
    let text = RichText::plain(
        "Towline was stopped while it did this, so that part of it may be done. Look how things stand, and type it again \
         if need be.",
    );
    let content = content::message(MessageType::Notice, &text, None);
    vec![
        content::unreact_row(*room, speaker, hourglass),
        content::message_row(*room, speaker, content::in_reply_to(content, event_id), None),
        content::reaction_row(*room, speaker, event_id, FAILED),
    ]
}
