//! `MODE` lines: letters paired with their arguments.
//!
//! Not the state of a channel (that is [`channels`](super::channels)) and not user modes, which take no arguments.
//!
//! Invariant 4, and the class of CVE-2022-39202: a letter whose kind the server has not told may or may not eat an
//! argument, so nothing behind it is paired. The line is then `ambiguous`, and who keeps state asks the server.
//!
//! Spec: modern IRC docs "MODE message", "`CHANMODES` Parameter", "`PREFIX` Parameter".

use std::fmt;

use crate::names::Channel;

use super::isupport::{Isupport, ModeKind};
use super::wire::{Line, WireError};

/// What a line may hold so that the server can put our address before it and pass it on whole.
const LONGEST: usize = 400;

/// One letter of a `MODE` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModeChange {
    /// `+` or `-`.
    pub set: bool,
    /// The mode.
    pub letter: char,
    /// What it takes.
    pub kind: ModeKind,
    /// Its argument: a nick, a mask, a key, a number.
    pub argument: Option<String>,
}

/// What a `MODE` line surely says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ModeChanges {
    /// The changes in their order, up to the first doubtful one.
    pub changes: Vec<ModeChange>,
    /// Something could not be paired with certainty.
    pub ambiguous: bool,
}

impl ModeChanges {
    /// Pairs the letters with their arguments: `["+ov-k", "alice", "bob", "*"]`.
    #[must_use]
    pub fn parse(params: &[String], isupport: &Isupport) -> Self {
        let mut result = Self::default();
        let Some((letters, arguments)) = params.split_first() else {
            return result;
        };
        let mut arguments = arguments.iter();
        let mut set = true;
        for letter in letters.chars() {
            if let '+' | '-' = letter {
                set = letter == '+';
                continue;
            }
            let Some(kind) = isupport.mode_kind(letter) else {
                // Without arguments left there is nothing that it could take away from the letters behind it.
                if arguments.len() == 0 {
                    result.changes.push(ModeChange { set, letter, kind: ModeKind::Never, argument: None });
                    continue;
                }
                result.ambiguous = true;
                return result;
            };
            let argument = match kind {
                ModeKind::Never => None,
                ModeKind::WhenSet if !set => None,
                ModeKind::List | ModeKind::Always | ModeKind::Member | ModeKind::WhenSet => {
                    arguments.next().cloned()
                }
            };
            // Some servers take a key away without naming it; all else that lacks its argument is broken.
            let missing = argument.is_none()
                && (kind == ModeKind::Member
                    || (set && matches!(kind, ModeKind::Always | ModeKind::WhenSet)));
            if missing {
                result.ambiguous = true;
                return result;
            }
            result.changes.push(ModeChange { set, letter, kind, argument });
        }
        result.ambiguous = arguments.len() > 0;
        result
    }
}

impl fmt::Display for ModeChanges {
    /// `+o alice -v bob +n`: each letter with its argument, but for a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut last = None;
        for (index, change) in self.changes.iter().enumerate() {
            let joined = last == Some(change.set) && change.argument.is_none() && index > 0;
            if index > 0 && !joined {
                f.write_str(" ")?;
            }
            if !joined {
                f.write_str(if change.set { "+" } else { "-" })?;
            }
            write!(f, "{}", change.letter)?;
            match &change.argument {
                // A secret among the channel's members, and the text is shown and kept (invariant 10).
                Some(_) if change.letter == 'k' && change.kind == ModeKind::Always => {
                    f.write_str(" (key)")?;
                }
                Some(argument) => write!(f, " {argument}")?,
                None => {}
            }
            // Only letters without arguments are written together.
            last = change.argument.is_none().then_some(change.set);
        }
        Ok(())
    }
}

/// Changes as lines that the server takes: no more of them in one than its `MODES`, and no more than fit.
///
/// # Errors
/// When an argument can't stand in a line.
pub fn lines(channel: &Channel, changes: &[ModeChange], isupport: &Isupport) -> Result<Vec<Line>, WireError> {
    let most = isupport.modes_per_line().unwrap_or(usize::MAX).max(1);
    let bytes = |change: &ModeChange| 2 + change.argument.as_ref().map_or(0, |argument| 1 + argument.len());
    let mut lines = Vec::new();
    let mut rest = changes;
    while !rest.is_empty() {
        let (mut count, mut length) = (0, channel.as_str().len() + "MODE  \r\n".len());
        while let Some(change) = rest.get(count).filter(|_| count < most)
            && (count == 0 || length + bytes(change) <= LONGEST)
        {
            length += bytes(change);
            count += 1;
        }
        let (now, later) = rest.split_at(count);
        lines.push(line(channel, now)?);
        rest = later;
    }
    Ok(lines)
}

/// One line: the letters with their signs, then the arguments.
fn line(channel: &Channel, changes: &[ModeChange]) -> Result<Line, WireError> {
    let mut letters = String::new();
    let mut sign = None;
    for change in changes {
        if sign != Some(change.set) {
            letters.push(if change.set { '+' } else { '-' });
            sign = Some(change.set);
        }
        letters.push(change.letter);
    }
    let mut line = Line::new("MODE").name(channel).middle(&letters)?;
    for argument in changes.iter().filter_map(|change| change.argument.as_deref()) {
        line = line.middle(argument)?;
    }
    Ok(line.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn libera() -> Isupport {
        let mut isupport = Isupport::default();
        isupport.apply(["PREFIX=(ov)@+", "CHANMODES=eIbq,k,flj,CFLMPQScgimnprstuz"]);
        isupport
    }

    fn parse(text: &str) -> ModeChanges {
        ModeChanges::parse(&text.split(' ').map(str::to_owned).collect::<Vec<_>>(), &libera())
    }

    #[rstest]
    #[case::statuses("+ov alice bob", "+o alice +v bob", false)]
    #[case::flags_together("+nt-i", "+nt -i", false)]
    #[case::quiet_is_a_list_on_solanum("+q *!*@host", "+q *!*@host", false)]
    #[case::forward_then_status("+fo #other alice", "+f #other +o alice", false)]
    #[case::throttle_then_status("+jo 3:5 alice", "+j 3:5 +o alice", false)]
    #[case::type_c_takes_nothing_when_unset("-lo+v alice bob", "-l -o alice +v bob", false)]
    #[case::a_key_is_not_shown("+nk sesame", "+n +k (key)", false)]
    #[case::list_question("+b", "+b", false)]
    #[case::key_taken_without_naming_it("-k", "-k", false)]
    #[case::unknown_letter_with_nothing_to_pair("+nX", "+nX", false)]
    #[case::unknown_letter_before_a_status("+nXo alice", "+n", true)]
    #[case::status_without_a_nick("+o", "", true)]
    #[case::argument_left_over("+n alice", "+n", true)]
    #[case::nothing("", "", false)]
    fn invariant_4_letters_are_paired_by_isupport_and_never_by_guess(
        #[case] line: &str,
        #[case] readable: &str,
        #[case] ambiguous: bool,
    ) {
        let changes = parse(line);
        assert_eq!((changes.to_string().as_str(), changes.ambiguous), (readable, ambiguous));
    }

    fn changes(text: &str) -> Vec<ModeChange> {
        text.split(' ')
            .map(|word| {
                let mut letters = word.chars();
                let (sign, letter) = (letters.next(), letters.next().unwrap());
                let argument = letters.as_str().strip_prefix('=').map(str::to_owned);
                ModeChange { set: sign == Some('+'), letter, kind: ModeKind::Member, argument }
            })
            .collect()
    }

    #[rstest]
    #[case::one("", "+o=a", &["MODE #c +o a"])]
    #[case::both_signs("", "+o=a -v=b +n", &["MODE #c +o-v+n a b"])]
    #[case::three_where_nothing_is_said("", "+o=a +o=b +o=c +o=d", &["MODE #c +ooo a b c", "MODE #c +o d"])]
    #[case::as_the_server_says("MODES=1", "+o=a +o=b", &["MODE #c +o a", "MODE #c +o b"])]
    #[case::no_limit("MODES=", "-o=a -o=b -o=c -o=d", &["MODE #c -oooo a b c d"])]
    fn changes_are_split_as_the_server_takes_them(
        #[case] tokens: &str,
        #[case] wanted: &str,
        #[case] expected: &[&str],
    ) {
        let mut isupport = Isupport::default();
        isupport.apply(tokens.split_whitespace());
        let lines = lines(&Channel::new("#c").unwrap(), &changes(wanted), &isupport).unwrap();
        assert_eq!(lines.iter().map(Line::as_str).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn many_long_masks_fit_in_their_lines() {
        let mut isupport = Isupport::default();
        isupport.apply(["MODES=20"]);
        let change = |number: u32| ModeChange {
            set: true,
            letter: 'b',
            kind: ModeKind::List,
            argument: Some(format!("*!*@{number}.{}", "x".repeat(100))),
        };
        let changes: Vec<ModeChange> = (0..20).map(change).collect();
        let lines = lines(&Channel::new("#c").unwrap(), &changes, &isupport).unwrap();
        assert!(lines.len() > 5 && lines.iter().all(|line| line.len() <= LONGEST), "{lines:?}");
    }

    proptest! {
        #[test]
        fn no_mode_line_makes_it_panic(params in prop::collection::vec(".{0,8}|[+ovbklX-]{0,12}", 0..6)) {
            let _ = ModeChanges::parse(&params, &libera()).to_string();
        }
    }
}
