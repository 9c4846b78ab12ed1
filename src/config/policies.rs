//! Who is excluded: policy lists, and masks.

use super::problem::item;
use super::resolve::Resolver;
use crate::names::Glob;

/// Policy lists that are read.
const MOST_LISTS: usize = 20;
/// Masks of the file itself; for more there are lists.
const MOST_MASKS: usize = 1_000;
/// No id is longer.
const LONGEST: usize = 255;

fn is_word(text: &str) -> bool {
    (2..=LONGEST).contains(&text.len()) && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// The lists, each by a room's id or an alias.
pub(super) fn lists(resolver: &mut Resolver<'_>, raw: Vec<String>) -> Vec<String> {
    const PATH: &str = "policy_lists";
    if raw.len() > MOST_LISTS {
        resolver.report.add(PATH, format!("there may be {MOST_LISTS} of them"));
    }
    let mut lists: Vec<String> = Vec::new();
    for (index, text) in (0..).zip(raw) {
        let path = item(PATH, index);
        let is_room =
            is_word(&text) && (text.starts_with('!') || text.starts_with('#') && text.contains(':'));
        if resolver.report.knows(&path) {
        } else if !is_room {
            let problem =
                "it must be a room's alias or id, such as \"#list:example.org\" or \"!AbCdEf:example.org\"";
            resolver.report.add(&path, problem);
        } else if lists.contains(&text) {
            resolver.report.add(&path, "it stands here twice");
        } else {
            lists.push(text);
        }
    }
    lists
}

/// Masks of users' ids and of servers' names.
pub(super) fn excluded(
    resolver: &mut Resolver<'_>,
    raw: Vec<String>,
    bot: &str,
    domain: &str,
) -> Vec<String> {
    const PATH: &str = "excluded";
    if raw.len() > MOST_MASKS {
        resolver
            .report
            .add(PATH, format!("there may be {MOST_MASKS} of them; for more there are policy lists"));
    }
    let mut masks = Vec::new();
    for (index, text) in (0..).zip(raw) {
        let path = item(PATH, index);
        let glob = Glob::new(&text);
        let is_about_user = text.starts_with('@');
        let is_mask = is_word(&text) && (!is_about_user || text.contains(':'));
        if resolver.report.knows(&path) {
        } else if !is_mask {
            let problem = "it must be a mask of Matrix ids, such as \"@spam*:example.org\", or of servers' names, such as \
                           \"*.example.org\"";
            resolver.report.add(&path, problem);
        } else if glob.fits(if is_about_user { bot } else { domain }) {
            resolver.report.add(&path, "it fits the bot itself, and with it this bridge");
        } else {
            masks.push(text);
        }
    }
    masks
}
