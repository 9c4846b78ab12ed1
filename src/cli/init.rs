//! `towline init`: from nothing to a configuration, a registration and a key file.
//!
//! The configuration that it writes is `config.example.yaml` with the answers put in, so every key is there with its
//! meaning. An answer is judged by loading the configuration that it would make: there is no second set of rules.
//! Nothing is ever overwritten, and all three files are readable only to their owner.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::registration::{claims, double_puppet_text};
use super::{CliError, FlavourArgument, files};
use crate::clock::random_bytes;
use crate::config::{Config, ConfigError, DoublePuppet, secret};
use crate::matrix::registration::{Flavour, Registration};

/// What `towline init` takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Where to put the files
    #[arg(long, value_name = "DIR", default_value = ".")]
    directory: PathBuf,
    /// Where Towline reaches the homeserver, such as `http://localhost:8008`
    #[arg(long, value_name = "URL")]
    homeserver: Option<String>,
    /// The homeserver's name: what follows the colon in Matrix ids
    #[arg(long, value_name = "NAME")]
    domain: Option<String>,
    /// The Matrix id of who administers Towline
    #[arg(long, value_name = "@ID")]
    admin: Option<String>,
    /// Where Towline waits for the homeserver [default: `127.0.0.1:9009`]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// What the homeserver calls to reach Towline [default: `http://` and the address]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The database, without its password [default: `sqlite://towline.db`]
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// For which homeserver [default: `synapse`]
    #[arg(long, value_enum)]
    flavour: Option<FlavourArgument>,
    /// Write the registration for double puppeting as well
    #[arg(long)]
    double_puppet: bool,
    /// Take the defaults without asking
    #[arg(long)]
    yes: bool,
}

const CONFIG: &str = "config.yaml";
const REGISTRATION: &str = "registration.yaml";
const KEY: &str = "towline.key";
const DOUBLE_PUPPET: &str = "double-puppet.yaml";

const LISTEN: &str = "127.0.0.1:9009";
const DATABASE: &str = "sqlite://towline.db";

/// What goes into the configuration.
#[derive(Debug, Clone)]
struct Answers {
    homeserver: String,
    domain: String,
    admin: String,
    listen: String,
    url: Option<String>,
    database: String,
}

/// One question: its flag, the key that its answer becomes, and where in [`Answers`] that is.
struct Question {
    flag: &'static str,
    path: &'static str,
    text: &'static str,
    field: fn(&mut Answers) -> &mut String,
}

/// Writes the three files, after asking for what is missing.
pub fn init(
    arguments: &Arguments,
    input: &mut dyn BufRead,
    interactive: bool,
    output: &mut dyn Write,
) -> Result<(), CliError> {
    let folder = &arguments.directory;
    let mut names = vec![CONFIG, REGISTRATION, KEY];
    names.extend(arguments.double_puppet.then_some(DOUBLE_PUPPET));
    let paths: Vec<PathBuf> = names.iter().map(|name| folder.join(name)).collect();
    if let Some(there) = paths.iter().find(|path| path.symlink_metadata().is_ok()) {
        return Err(CliError::Exists(there.clone()));
    }
    let mut terminal = Terminal { input, output, interactive, takes_defaults: arguments.yes };
    let answers = answers(arguments, &mut terminal)?;
    let flavour = flavour(arguments, &mut terminal)?;

    let mut text = render(&answers);
    let config = load(&text, &paths[0])?;
    let registration = Registration::generate(&claims(&config), &mut random_bytes).map_err(unexpected)?;
    let mut key = [0; 32];
    random_bytes(&mut key).map_err(unexpected)?;

    files::make_folder(folder)?;
    let mut contents = vec![registration.to_yaml(flavour), secret::key_line(&key)];
    if arguments.double_puppet {
        let none = DoublePuppet {
            registration_file: folder.join(DOUBLE_PUPPET),
            as_token: SecretString::default(),
            hs_token: SecretString::default(),
        };
        contents.push(double_puppet_text(&config, &none, flavour)?);
        let line = format!("  registration_file: {DOUBLE_PUPPET}\n");
        text = text.replacen(&format!("  #registration_file: {DOUBLE_PUPPET}\n"), &line, 1);
    }
    contents.insert(0, text);
    for (index, (path, content)) in paths.iter().zip(&contents).enumerate() {
        if let Err(error) = files::create(path, content) {
            // What was just made is of no use alone, and would stop the next attempt.
            for made in &paths[..index] {
                let _ = std::fs::remove_file(made);
            }
            return Err(error);
        }
    }
    next_steps(folder, flavour, &answers, &names, terminal.output).map_err(unexpected)
}

fn answers(arguments: &Arguments, terminal: &mut Terminal<'_>) -> Result<Answers, CliError> {
    let missing: Vec<&str> = [
        ("--homeserver", &arguments.homeserver),
        ("--domain", &arguments.domain),
        ("--admin", &arguments.admin),
    ]
    .into_iter()
    .filter(|(_, given)| given.is_none())
    .map(|(flag, _)| flag)
    .collect();
    if !terminal.interactive && !missing.is_empty() {
        let flags = missing.join(", ");
        return Err(CliError::Usage(format!("there is no terminal to ask on, so these are needed: {flags}")));
    }
    // Until all is answered, what stands for the rest must be right, so that each answer is judged by itself.
    let mut answers = Answers {
        homeserver: "http://localhost:8008".to_owned(),
        domain: "example.org".to_owned(),
        admin: "@admin:example.org".to_owned(),
        listen: LISTEN.to_owned(),
        url: None,
        database: DATABASE.to_owned(),
    };
    terminal.settle(&mut answers, &HOMESERVER, arguments.homeserver.as_deref(), None)?;
    let domain = domain_of(&answers.homeserver);
    terminal.settle(&mut answers, &DOMAIN, arguments.domain.as_deref(), domain.as_deref())?;
    terminal.settle(&mut answers, &ADMIN, arguments.admin.as_deref(), None)?;
    terminal.settle(&mut answers, &LISTEN_AT, arguments.listen.as_deref(), Some(LISTEN))?;
    let callable = !["0.0.0.0:", "[::]:"].iter().any(|all| answers.listen.starts_with(all));
    if !callable && arguments.url.is_none() && !terminal.interactive {
        let message =
            "--url is needed, since --listen is an address for all interfaces, which nobody can call";
        return Err(CliError::Usage(message.to_owned()));
    }
    let url = callable.then(|| format!("http://{}", answers.listen));
    terminal.settle(&mut answers, &URL, arguments.url.as_deref(), url.as_deref())?;
    terminal.settle(&mut answers, &DATABASE_URL, arguments.database.as_deref(), Some(DATABASE))?;
    Ok(answers)
}

const HOMESERVER: Question = Question {
    flag: "--homeserver",
    path: "homeserver.url",
    text: "Where does Towline reach the homeserver? (such as http://localhost:8008)",
    field: |answers| &mut answers.homeserver,
};
const DOMAIN: Question = Question {
    flag: "--domain",
    path: "homeserver.domain",
    text: "What is the homeserver's name? (what follows the colon in Matrix ids)",
    field: |answers| &mut answers.domain,
};
const ADMIN: Question = Question {
    flag: "--admin",
    path: "permissions",
    text: "Who administers Towline? (a Matrix id, such as @alice:example.org)",
    field: |answers| &mut answers.admin,
};
const LISTEN_AT: Question = Question {
    flag: "--listen",
    path: "appservice.listen",
    text: "At which address does Towline wait for the homeserver?",
    field: |answers| &mut answers.listen,
};
const URL: Question = Question {
    flag: "--url",
    path: "appservice.url",
    text: "What does the homeserver call to reach Towline?",
    field: |answers| answers.url.get_or_insert_default(),
};
const DATABASE_URL: Question = Question {
    flag: "--database",
    path: "database.url",
    text: "Which database? (sqlite:// and a file, or postgres://… without a password)",
    field: |answers| &mut answers.database,
};

/// The name that a homeserver at this address most likely has.
fn domain_of(url: &str) -> Option<String> {
    let host = reqwest::Url::parse(url).ok()?.host_str()?.to_owned();
    let local = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok() || !host.contains('.');
    if local { None } else { Some(host.strip_prefix("matrix.").unwrap_or(&host).to_owned()) }
}

fn flavour(arguments: &Arguments, terminal: &mut Terminal<'_>) -> Result<Flavour, CliError> {
    if let Some(flavour) = arguments.flavour {
        return Ok(flavour.into());
    }
    if !terminal.interactive || arguments.yes {
        return Ok(Flavour::default());
    }
    loop {
        let default = Flavour::default().word();
        let answer = terminal.ask("Which homeserver? (synapse, conduit or dendrite)", Some(default))?;
        match Flavour::ALL.into_iter().find(|flavour| flavour.word() == answer.to_lowercase()) {
            Some(flavour) => return Ok(flavour),
            None => terminal.say("it is none of the three; tuwunel and continuwuity are conduit here")?,
        }
    }
}

/// Where questions go, if anyone is there to answer.
struct Terminal<'a> {
    input: &'a mut dyn BufRead,
    output: &'a mut dyn Write,
    interactive: bool,
    takes_defaults: bool,
}

impl Terminal<'_> {
    /// Puts an answer in its place: the argument, else what is asked for, else the default.
    fn settle(
        &mut self,
        answers: &mut Answers,
        question: &Question,
        given: Option<&str>,
        default: Option<&str>,
    ) -> Result<(), CliError> {
        let asks = self.interactive && !(self.takes_defaults && default.is_some());
        loop {
            let answer = match (given, &default) {
                (Some(given), _) => given.to_owned(),
                (None, default) if asks => self.ask(question.text, *default)?,
                (None, Some(default)) => (*default).to_owned(),
                (None, None) => return Err(CliError::Usage(format!("{} is needed", question.flag))),
            };
            answer.trim().clone_into((question.field)(answers));
            match problem(answers, question) {
                None => return Ok(()),
                Some(message) if given.is_none() && asks => self.say(&message)?,
                Some(message) => return Err(CliError::Usage(format!("{}: {message}", question.flag))),
            }
        }
    }

    fn ask(&mut self, question: &str, default: Option<&str>) -> Result<String, CliError> {
        let shown = default.map(|default| format!(" [{default}]")).unwrap_or_default();
        write!(self.output, "{question}{shown}: ").and_then(|()| self.output.flush()).map_err(unexpected)?;
        let mut line = String::new();
        if self.input.read_line(&mut line).map_err(unexpected)? == 0 {
            return Err(CliError::Usage("the input ended before all was answered".to_owned()));
        }
        let answer = line.trim();
        Ok(if answer.is_empty() { default.unwrap_or_default().to_owned() } else { answer.to_owned() })
    }

    fn say(&mut self, message: &str) -> Result<(), CliError> {
        writeln!(self.output, "  {message}").map_err(unexpected)
    }
}

/// What is wrong with the answer to a question.
fn problem(answers: &Answers, question: &Question) -> Option<String> {
    let mut answers = answers.clone();
    let answer = (question.field)(&mut answers).clone();
    if answer.is_empty() {
        return Some("it is empty".to_owned());
    }
    if question.flag == ADMIN.flag && !answer.starts_with('@') {
        return Some("it must be a full Matrix id, such as @alice:example.org".to_owned());
    }
    if question.flag == DATABASE_URL.flag && has_password(&answer) {
        return Some(
            "a password must not stand on the command line; leave it out here, and afterwards put the whole URL \
             into a file that `database.url_file` names, or into TOWLINE_DATABASE_URL"
                .to_owned(),
        );
    }
    match load(&render(&answers), Path::new("/config.yaml")) {
        Ok(_) => None,
        Err(error) => {
            let ours = error.problems().iter().find(|problem| problem.path.starts_with(question.path));
            ours.map(|problem| problem.message.clone())
        }
    }
}

fn has_password(url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(url) else {
        return false;
    };
    url.password().is_some() || url.query_pairs().any(|(key, _)| key == "password")
}

/// The configuration as it will be, with stand-ins for the tokens, which the registration will hold.
fn load(text: &str, file: &Path) -> Result<Config, ConfigError> {
    let tokens = |name: &str| match name {
        "TOWLINE_APPSERVICE_AS_TOKEN" => Some("as".to_owned()),
        "TOWLINE_APPSERVICE_HS_TOKEN" => Some("hs".to_owned()),
        _ => None,
    };
    Config::parse(text, file, &tokens)
}

/// The example with the answers in it.
fn render(answers: &Answers) -> String {
    let mut text = include_str!("../../config.example.yaml").to_owned();
    let mut put = |line: &str, key: &str, value: &str| {
        text = text.replacen(&format!("{line}\n"), &format!("{key}{}\n", quoted(value)), 1);
    };
    put(r#"  url: "https://matrix.example.org""#, "  url: ", &answers.homeserver);
    put(r#"  domain: "example.org""#, "  domain: ", &answers.domain);
    if answers.listen != LISTEN {
        put("  #listen: 127.0.0.1:9009", "  listen: ", &answers.listen);
    }
    if let Some(url) = answers.url.as_deref().filter(|url| *url != format!("http://{}", answers.listen)) {
        put("  #url: http://127.0.0.1:9009", "  url: ", url);
    }
    if answers.database != DATABASE {
        put("  #url: sqlite://towline.db", "  url: ", &answers.database);
    }
    let permissions = "  \"example.org\": user\n  \"@admin:example.org\": admin\n";
    let ours = format!("  {}: user\n  {}: admin\n", quoted(&answers.domain), quoted(&answers.admin));
    text.replacen(permissions, &ours, 1)
}

/// A text in double quotes; what JSON escapes, YAML reads the same way.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn next_steps(
    folder: &Path,
    flavour: Flavour,
    answers: &Answers,
    names: &[&str],
    output: &mut dyn Write,
) -> std::io::Result<()> {
    let folder = folder.display();
    let (last, first) = names.split_last().map_or(("", Vec::new()), |(last, first)| (*last, first.to_vec()));
    writeln!(output, "Written to {folder}: {} and {last}.", first.join(", "))?;
    writeln!(output, "Keep a copy of {KEY}: what it seals in the database can't be read without it.")?;
    let registrations = if names.contains(&DOUBLE_PUPPET) {
        format!("{REGISTRATION} and {DOUBLE_PUPPET}")
    } else {
        REGISTRATION.to_owned()
    };
    writeln!(output, "\n1. Give {registrations} to the homeserver.")?;
    for line in flavour.instructions() {
        writeln!(output, "   {line}")?;
    }
    writeln!(output, "2. See whether all is well: towline check --config {folder}/{CONFIG}")?;
    writeln!(output, "3. Start the bridge:        towline run --config {folder}/{CONFIG}")?;
    writeln!(output, "4. As {}, open a chat with @towline:{} and send `help`.", answers.admin, answers.domain)
}

fn unexpected(error: impl Into<anyhow::Error>) -> CliError {
    CliError::Unexpected(error.into())
}
