//! `towline history import`: logs of WeeChat or ZNC, some lines in each commit.
//!
//! A line gets an id that is made of its time and what it says, so that a log that is read in again, perhaps longer by
//! now, adds only what is new. What was heard here at the same time is not added either.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write};
use std::path::PathBuf;

use base64::Engine as _;
use clap::ValueEnum;

use super::formats::{LogLine, Read, weechat, znc};
use super::progress::Progress;
use super::zone::Zone;
use super::{CliError, Environment, Scene, Whose, unwritten};
use crate::clock::{Clock as _, SystemClock};
use crate::names::{is_service, split_address};
use crate::store::{Direction, HistoryLine, Imported};

mod logs;

use logs::Log;

/// Lines in one commit.
const BATCH: usize = 500;
/// Lines that can't be understood and are shown.
const SHOWN: usize = 3;

/// What `towline history import` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    whose: Whose,
    /// The channel or conversation, where the files' names don't tell it
    #[arg(long)]
    buffer: Option<String>,
    #[arg(long, value_enum)]
    format: Format,
    /// In which time zone the logs were written: UTC, Europe/Berlin, +02:00
    #[arg(long, default_value = "UTC", value_name = "ZONE")]
    timezone: Zone,
    /// Files, or folders of such
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

/// Whose logs they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// `irc.NETWORK.#channel.weechatlog`
    Weechat,
    /// `NETWORK/#channel/YYYY-MM-DD.log`
    Znc,
}

/// What became of the lines of a conversation.
#[derive(Debug, Default)]
struct Tally {
    imported: Imported,
    other: usize,
    bad: usize,
    /// Where the first bad ones are.
    shown: Vec<String>,
}

/// Reads logs into a session's history.
pub(super) async fn import(
    arguments: &Arguments,
    environment: Environment<'_>,
    output: &mut (dyn Write + Send),
) -> Result<(), CliError> {
    let scene = Scene::to_write(&arguments.whose, environment).await?;
    let result = read_all(arguments, &scene, output).await;
    scene.store.close().await;
    result
}

async fn read_all(
    arguments: &Arguments,
    scene: &Scene,
    output: &mut (dyn Write + Send),
) -> Result<(), CliError> {
    let Arguments { whose, buffer, format, paths, .. } = arguments;
    let names = [scene.session.network.as_str(), split_address(&whose.network).0];
    let logs = logs::find(paths, *format == Format::Znc, buffer.as_deref(), &names)?;
    if logs.is_empty() {
        return Err(CliError::Usage("there are no logs of this kind".to_owned()));
    }
    let mut progress = Progress::new("read");
    for (name, logs) in logs {
        // What was said to services is never kept.
        if is_service(&name, &names) {
            writeln!(output, "{name}: left out, since it is a conversation with services")
                .map_err(unwritten)?;
            continue;
        }
        let tally = read_conversation(arguments, scene, &name, &logs, &mut progress).await?;
        report(&name, &tally, output)?;
    }
    progress.end();
    Ok(())
}

async fn read_conversation(
    arguments: &Arguments,
    scene: &Scene,
    name: &str,
    logs: &[Log],
    progress: &mut Progress,
) -> Result<Tally, CliError> {
    let Scene { store, session } = scene;
    let buffer = store.import_buffer(session.id, name).await?;
    let mut tally = Tally::default();
    let mut reader = Reader { zone: &arguments.timezone, buffer, at: None, alike: HashMap::new() };
    let mut lines = Vec::with_capacity(BATCH);
    for log in logs {
        let unreadable = |error| CliError::Usage(format!("{} can't be read: {error}", log.path.display()));
        let mut file = BufReader::new(File::open(&log.path).map_err(unreadable)?);
        let (mut bytes, mut number) = (Vec::new(), 0_usize);
        loop {
            bytes.clear();
            if file.read_until(b'\n', &mut bytes).map_err(unreadable)? == 0 {
                break;
            }
            number += 1;
            let text = String::from_utf8_lossy(&bytes);
            let text = text.trim_end_matches(['\n', '\r']);
            let (local, read) = match log.day {
                Some(day) => znc::read(text, day),
                None => weechat::read(text),
            };
            let at = local.and_then(|local| reader.zone.read(local, reader.at));
            match (at, read) {
                (Some(at), Read::Line(line)) => lines.push(reader.line(at, line)),
                (_, Read::Other) => tally.other += 1,
                // The end of a file is no line.
                _ if text.is_empty() => {}
                _ => {
                    tally.bad += 1;
                    if tally.shown.len() < SHOWN {
                        tally.shown.push(format!("{}:{number}", log.path.display()));
                    }
                }
            }
            if lines.len() == BATCH {
                progress.add(BATCH);
                store_lines(scene, std::mem::take(&mut lines), &mut tally).await?;
            }
        }
    }
    progress.add(lines.len());
    store_lines(scene, lines, &mut tally).await?;
    Ok(tally)
}

async fn store_lines(
    scene: &Scene,
    lines: Vec<(HistoryLine, u32)>,
    tally: &mut Tally,
) -> Result<(), CliError> {
    let now = SystemClock.unix_ms();
    let imported = scene.store.import_lines(scene.session.id, lines, now).await?;
    tally.imported.stored += imported.stored;
    tally.imported.known += imported.known;
    tally.imported.unwanted += imported.unwanted;
    Ok(())
}

fn report(name: &str, tally: &Tally, output: &mut (dyn Write + Send)) -> Result<(), CliError> {
    let Tally { imported, other, bad, shown } = tally;
    let mut text = format!("{name}: {} lines read in", imported.stored);
    if imported.known > 0 {
        text.push_str(&format!(", {} were there", imported.known));
    }
    if imported.unwanted > 0 {
        text.push_str(&format!(", {} not kept, since its history is off", imported.unwanted));
    }
    if *other > 0 {
        text.push_str(&format!(", {other} of other things left out"));
    }
    if *bad > 0 {
        text.push_str(&format!(
            ", {bad} NOT UNDERSTOOD ({}{})",
            shown.join(", "),
            if *bad > SHOWN { ", …" } else { "" }
        ));
    }
    writeln!(output, "{text}").map_err(unwritten)
}

/// Makes lines of history of those of a log.
struct Reader<'a> {
    zone: &'a Zone,
    buffer: i64,
    /// The time of the line before, in milliseconds since 1970.
    at: Option<i64>,
    /// How often a line was there at that time.
    alike: HashMap<LogLine, u32>,
}

impl Reader<'_> {
    /// The line, and how many of its kind came before it at its time.
    fn line(&mut self, at: i64, line: LogLine) -> (HistoryLine, u32) {
        if self.at != Some(at) {
            self.at = Some(at);
            self.alike.clear();
        }
        let alike = self.alike.entry(line.clone()).or_default();
        let before = *alike;
        let msgid = id_of(at, &line, before);
        *alike += 1;
        let LogLine { kind, sender, target, text } = line;
        let line = HistoryLine {
            channel: None,
            buffer: self.buffer,
            at,
            kind,
            sender,
            account: None,
            target,
            // No engine's text may hold it, and no IRC line does.
            text: text.replace('\0', ""),
            msgid: Some(msgid),
            event_id: None,
            direction: Direction::In,
            replayed: None,
        };
        (line, before)
    }
}

/// The id of a line that a log holds for the so-many-th time at its time.
fn id_of(at: i64, line: &LogLine, alike: u32) -> String {
    let LogLine { kind, sender, target, text } = line;
    let target = target.as_deref().unwrap_or_default();
    let all = format!("{at}\n{alike}\n{kind}\n{sender}\n{target}\n{text}");
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, all.as_bytes());
    let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    format!("log:{}", engine.encode(&digest.as_ref()[..16]))
}
