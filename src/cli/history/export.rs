//! `towline history export`: a page of lines at a time, so that a million lines need no more memory than a thousand.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::formats::{html, json, weechat, znc};
use super::progress::Progress;
use super::zone::Zone;
use super::{CliError, Environment, Scene, Whose, unwritten};
use crate::cli::files;
use crate::store::{KeptLine, OwnBuffer};

/// Lines that are read at once.
const PAGE: i64 = 1_000;

/// What `towline history export` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    whose: Whose,
    /// Only this channel or conversation
    #[arg(long)]
    buffer: Option<String>,
    #[arg(long, value_enum)]
    format: Format,
    /// The file; for logs of several conversations, and always for those of ZNC, a folder
    #[arg(long, value_name = "PATH")]
    output: Option<PathBuf>,
    /// In which time zone the times of WeeChat's, ZNC's and HTML's lines are: UTC, Europe/Berlin, +02:00
    #[arg(long, default_value = "UTC", value_name = "ZONE")]
    timezone: Zone,
}

/// How an export is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// An object on each line, with everything that is kept
    Json,
    /// WeeChat's logs
    Weechat,
    /// ZNC's logs
    Znc,
    /// A page to read
    Html,
}

/// Writes what is kept of a session.
pub(super) async fn export(
    arguments: &Arguments,
    environment: Environment<'_>,
    output: &mut (dyn Write + Send),
) -> Result<(), CliError> {
    let Arguments { whose, buffer, format, output: path, timezone } = arguments;
    let is_folder = *format == Format::Znc || (*format == Format::Weechat && buffer.is_none());
    if is_folder && path.is_none() {
        return Err(CliError::Usage("these are several files: name a folder with --output".to_owned()));
    }
    let scene = Scene::to_read(whose, environment).await?;
    let buffers = scene.buffers(buffer.as_deref()).await?;
    let mut target = match path {
        Some(folder) if is_folder => Target::Folder(Folder::new(folder.clone())),
        Some(file) => Target::File(create(file)?),
        None => Target::Output(output),
    };
    let mut progress = Progress::new("written");
    if *format == Format::Html {
        target.write(&html::begin(&scene.session.user_id, &scene.session.address()))?;
    }
    let mut names = HashSet::new();
    for buffer in &buffers {
        let name = own_name(*format, buffer, &mut names);
        let mut day = String::new();
        let mut after = i64::MIN;
        loop {
            let lines = scene.store.lines_after(buffer.id, after, PAGE).await?;
            let Some(last) = lines.last() else { break };
            if *format == Format::Html && after == i64::MIN {
                target.write(&html::heading(buffer))?;
            }
            after = last.id;
            progress.add(lines.len());
            for line in &lines {
                let text = match format {
                    Format::Json => json::write(line, buffer),
                    Format::Html => html::write(line, &mut day, timezone),
                    Format::Weechat => weechat::write(line, &buffer.name, timezone),
                    Format::Znc => znc::write(line, timezone),
                };
                if is_folder {
                    target.enter(&file_of(*format, buffer, &name, line, timezone))?;
                }
                target.write(&text)?;
            }
        }
    }
    if *format == Format::Html {
        target.write(html::end())?;
    }
    target.end()?;
    progress.end();
    scene.store.close().await;
    Ok(())
}

/// What a buffer is called in the folder: names that files can't tell apart get a number.
fn own_name(format: Format, buffer: &OwnBuffer, names: &mut HashSet<String>) -> String {
    let name_of = |buffer: &str| match format {
        Format::Znc => znc::folder_of(buffer),
        _ => weechat::file_of("", buffer),
    };
    let name = (1..).map(|number| match number {
        1 => buffer.name.clone(),
        number => format!("{}~{number}", buffer.name),
    });
    name.into_iter().find(|name| names.insert(name_of(name))).unwrap_or_default()
}

/// The file that a line belongs into, within the folder.
fn file_of(format: Format, buffer: &OwnBuffer, name: &str, line: &KeptLine, zone: &Zone) -> PathBuf {
    match format {
        Format::Znc => {
            let day = zone.local(line.at).strftime("%Y-%m-%d.log").to_string();
            [buffer.network.as_str(), &znc::folder_of(name), &day].iter().collect()
        }
        _ => weechat::file_of(&buffer.network, name).into(),
    }
}

/// Where it goes.
enum Target<'a> {
    Output(&'a mut (dyn Write + Send)),
    File(BufWriter<File>),
    Folder(Folder),
}

/// A folder for files of this run: what was there before is not touched.
struct Folder {
    path: PathBuf,
    /// The file that is written to.
    open: Option<(PathBuf, BufWriter<File>)>,
    /// Files that this run has made. Times may go back over midnight, and a file be written to again.
    made: HashSet<PathBuf>,
}

impl Folder {
    fn new(path: PathBuf) -> Self {
        Self { path, open: None, made: HashSet::new() }
    }

    /// From now on what is written goes into this file.
    fn enter(&mut self, file: &Path) -> Result<(), CliError> {
        if self.open.as_ref().is_some_and(|(current, _)| current == file) {
            return Ok(());
        }
        if let Some((_, mut written)) = self.open.take() {
            written.flush().map_err(unwritten)?;
        }
        let path = self.path.join(file);
        let opened = if self.made.insert(file.to_owned()) {
            files::make_folder(path.parent().unwrap_or(&self.path))?;
            create(&path)?
        } else {
            let opened = OpenOptions::new().append(true).open(&path);
            BufWriter::new(opened.map_err(|source| CliError::Write { file: path, source })?)
        };
        self.open = Some((file.to_owned(), opened));
        Ok(())
    }
}

impl Target<'_> {
    /// From now on what is written goes into this file, where it goes into a folder.
    fn enter(&mut self, file: &Path) -> Result<(), CliError> {
        match self {
            Self::Folder(folder) => folder.enter(file),
            Self::Output(_) | Self::File(_) => Ok(()),
        }
    }

    fn write(&mut self, text: &str) -> Result<(), CliError> {
        let written = match self {
            Self::Output(output) => output.write_all(text.as_bytes()),
            Self::File(file) | Self::Folder(Folder { open: Some((_, file)), .. }) => {
                file.write_all(text.as_bytes())
            }
            Self::Folder(_) => Ok(()),
        };
        written.map_err(unwritten)
    }

    fn end(self) -> Result<(), CliError> {
        match self {
            Self::Output(output) => output.flush(),
            Self::File(mut file) | Self::Folder(Folder { open: Some((_, mut file)), .. }) => file.flush(),
            Self::Folder(_) => Ok(()),
        }
        .map_err(unwritten)
    }
}

/// A new file that only its owner reads: what people said is nobody else's affair.
fn create(file: &Path) -> Result<BufWriter<File>, CliError> {
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    opened.map(BufWriter::new).map_err(|source| match source.kind() {
        std::io::ErrorKind::AlreadyExists => CliError::Exists(file.to_owned()),
        _ => CliError::Write { file: file.to_owned(), source },
    })
}
