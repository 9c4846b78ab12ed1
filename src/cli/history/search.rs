//! `towline history search`.

use std::io::Write;

use super::{CliError, Environment, Scene, Whose, unwritten};
use crate::clock::{Clock as _, SystemClock};
use crate::format::{date, history_line, hour};
use crate::store::{Search, SearchScope};

/// What `towline history search` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    whose: Whose,
    /// Only in this channel or conversation
    #[arg(long)]
    buffer: Option<String>,
    /// Only lines of this nick
    #[arg(long, value_name = "NICK")]
    from: Option<String>,
    /// Only lines since then: 3d, 12h, 2w, or a day as 2026-11-01
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// How many lines
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// The words, all of which a line must hold; the last one may end in *
    words: Vec<String>,
}

/// Prints the lines that are found, newest first.
pub(super) async fn search(
    arguments: &Arguments,
    environment: Environment<'_>,
    output: &mut (dyn Write + Send),
) -> Result<(), CliError> {
    let since = match &arguments.since {
        Some(text) => Some(crate::commands::since(text, SystemClock.unix_ms()).ok_or_else(|| {
            CliError::Usage(format!("{text} is no time: write 3d, 12h, 2w, or a day as 2026-11-01"))
        })?),
        None => None,
    };
    let scene = Scene::to_read(&arguments.whose, environment).await?;
    let scope = match &arguments.buffer {
        Some(name) => {
            let buffers = scene.buffers(Some(name)).await?;
            SearchScope::Buffers(buffers.into_iter().map(|buffer| buffer.id).collect())
        }
        None => SearchScope::Session(scene.session.id),
    };
    let search = Search {
        user: scene.session.user,
        scope,
        sender: arguments.from.clone(),
        since,
        words: arguments.words.join(" "),
        limit: arguments.limit,
    };
    if search.is_empty() {
        return Err(CliError::Usage("there is nothing to look for: give words, or --from".to_owned()));
    }
    let hits = scene.store.search(&search).await?;
    for hit in &hits.lines {
        let said = history_line(&hit.kind, &hit.sender, hit.target.as_deref(), &hit.text).to_plain();
        let (day, hour, place) = (date(hit.at), hour(hit.at), &hit.buffer_name);
        writeln!(output, "{day} {hour} {place} {said}").map_err(unwritten)?;
    }
    match (hits.more, hits.uncounted) {
        (0, false) => {}
        (more, false) => writeln!(output, "and {more} more: see --limit").map_err(unwritten)?,
        (more, true) => writeln!(output, "and more than {more} others: see --limit").map_err(unwritten)?,
    }
    scene.store.close().await;
    Ok(())
}
