//! Commands that ask back before they do something: what was asked in a room, until it is answered, dropped, or too old.
//!
//! One such question stands in a room, in memory: after a restart nobody is taken at a word that they gave before. `yes`
//! and `cancel` are also about what the bridge has asked there with buttons (`bridge/questions.rs`).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::Context;
use crate::bridge::{Call, Outcome, Place, Request};
use crate::format::RichText;

/// How long a question stands, in milliseconds.
const STANDS: i64 = 10 * 60 * 1000;
/// Questions that stand at a time; the oldest goes.
const MOST: usize = 1_000;

/// The questions that stand.
#[derive(Debug, Default)]
pub(super) struct Questions(Mutex<HashMap<(i64, Place), Question>>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Question {
    /// The command that does it.
    command: String,
    /// What it is about, behind "about".
    about: String,
    asked_at: i64,
    /// The command under way has asked it.
    is_new: bool,
}

impl Questions {
    fn put(&self, call: &Call, question: Question) {
        let mut questions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = question.asked_at;
        questions.retain(|_, question| question.stands(now));
        if questions.len() >= MOST {
            let oldest = questions.iter().min_by_key(|(_, question)| question.asked_at).map(|(key, _)| *key);
            oldest.and_then(|key| questions.remove(&key));
        }
        questions.insert((call.user.id, call.place), question);
    }

    /// Whether what was carried out last for this call has asked something.
    pub(super) fn has_just_asked(&self, call: &Call) -> bool {
        let mut questions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let question = questions.get_mut(&(call.user.id, call.place));
        question.is_some_and(|question| std::mem::take(&mut question.is_new))
    }

    fn take(&self, call: &Call, now: i64) -> Option<Question> {
        let mut questions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        questions.remove(&(call.user.id, call.place)).filter(|question| question.stands(now))
    }
}

impl Question {
    fn stands(&self, now: i64) -> bool {
        now.saturating_sub(self.asked_at) < STANDS
    }
}

impl Context<'_> {
    /// Asks whether to do something; `yes` carries this command out, in this room.
    pub(super) fn ask(&self, text: RichText, about: impl Into<String>, command: String) -> RichText {
        let asked_at = self.bridge.unix_ms();
        let question = Question { command, about: about.into(), asked_at, is_new: true };
        self.questions.put(self.call, question);
        text.text(" To do it, type ").code("yes").text("; to leave it, ").code("cancel").text(".")
    }
}

/// `yes`.
pub(super) async fn yes(context: Context<'_>) -> Outcome {
    match context.questions.take(context.call, context.bridge.unix_ms()) {
        Some(question) => {
            super::run(context.questions, context.bridge, context.call, &question.command).await
        }
        None => context.bridge.affirm(context.call).await,
    }
}

/// `cancel`.
pub(super) async fn cancel(context: Context<'_>) -> Outcome {
    let question = context.questions.take(context.call, context.bridge.unix_ms());
    let mut dropped: Vec<String> = question.map(|question| question.about).into_iter().collect();
    if let Place::Buffer { buffer, .. } = context.call.place {
        let (session, _) = context.session()?;
        let prompts = session.ask(Request::DropQuestions { buffer }).await?.to_plain();
        dropped.extend(Some(prompts).filter(|prompts| !prompts.is_empty()));
    }
    dropped.extend(context.bridge.drop_questions(context.call).await?);
    if dropped.is_empty() {
        return Ok(RichText::plain("Nothing is asked here."));
    }
    Ok(RichText::plain(format!("Dropped, and nothing is done: what I asked about {}.", in_a_row(&dropped))))
}

/// `a`, `a and b`, `a, b and c`.
fn in_a_row(all: &[String]) -> String {
    match all {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        all => all.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Permission;
    use crate::store::User;

    fn call(user: i64, place: Place) -> Call {
        let user = User { id: user, user_id: format!("@{user}:x") };
        Call { user, permission: Permission::User, place, room: 1, text: String::new(), progress: None }
    }

    fn question(asked_at: i64) -> Question {
        Question {
            command: "forget #tea confirm".to_owned(),
            about: "#tea".to_owned(),
            asked_at,
            is_new: false,
        }
    }

    #[test]
    fn a_question_is_answered_once_by_who_was_asked_where_they_were_asked() {
        let questions = Questions::default();
        let asked = call(1, Place::Control);
        questions.put(&asked, question(0));
        assert_eq!(questions.take(&call(2, Place::Control), 1), None);
        assert_eq!(questions.take(&call(1, Place::Network(1)), 1), None);
        assert_eq!(questions.take(&asked, 1), Some(question(0)));
        assert_eq!(questions.take(&asked, 1), None);
        questions.put(&asked, question(0));
        assert_eq!(questions.take(&asked, STANDS), None);
    }

    #[test]
    fn invariant_9_so_many_questions_stand_and_no_more() {
        let questions = Questions::default();
        (0..=MOST as i64).for_each(|user| questions.put(&call(user, Place::Control), question(user)));
        assert_eq!(questions.0.lock().unwrap().len(), MOST);
        assert_eq!(questions.take(&call(0, Place::Control), 0), None);
    }
}
