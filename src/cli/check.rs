//! `towline check`: the configuration, then the homeserver, each failure with its remedy.
//!
//! It says all that it can find in one run and ends with the code of the first failure. It does not need Towline to
//! run: where nothing listens at `appservice.listen`, it answers the homeserver's ping itself (`listener`).
//!
//! It leaves one trace on the homeserver: the user of its probe, which is the only way to see whether another
//! application service holds the same names. The probe alias is taken away again, its room left and forgotten.

mod database;
mod homeserver;
mod ident;
mod listener;
mod media;
mod networks;
mod room;

use std::collections::BTreeMap;
use std::io::Write;

use serde_json::{Value, json};

use super::registration::differences;
use super::{CliError, Code, ConfigArgument};
use crate::config::{Config, Environment, secret};
use crate::matrix::registration::Registration;

/// What `towline check` takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    config: ConfigArgument,
    /// Check only what needs no homeserver and no database
    #[arg(long)]
    offline: bool,
    /// Check only the file itself, for instance before it goes to another machine: no secret that it leaves to other
    /// files or to the environment, no key, no registration, no homeserver
    #[arg(long)]
    file_only: bool,
    /// Look at this network too, which the configuration does not describe itself; may be given more than once
    #[arg(long, value_name = "NAME")]
    network: Vec<String>,
    /// Print JSON, when all is checked
    #[arg(long)]
    json: bool,
}

/// What is wrong, and what to do about it.
struct Failure {
    code: Code,
    what: String,
    remedy: String,
}

impl Failure {
    fn new(code: Code, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { code, what: what.into(), remedy: remedy.into() }
    }
}

/// How a check ended.
enum Outcome {
    Ok(String),
    Skipped(String),
    Failed(Failure),
}

/// The checks so far: each printed as it ends, or all in the end as JSON.
struct Findings<'a> {
    output: &'a mut dyn Write,
    json: Option<Vec<Value>>,
    failed: usize,
    first: Option<Code>,
}

impl<'a> Findings<'a> {
    fn new(output: &'a mut dyn Write, json: bool) -> Self {
        Self { output, json: json.then(Vec::new), failed: 0, first: None }
    }

    /// Prints how a check ended, and says whether what depends on it can go on.
    fn add(&mut self, name: &str, outcome: Outcome) -> Result<bool, CliError> {
        let written = match (&mut self.json, &outcome) {
            (Some(checks), outcome) => {
                checks.push(as_json(name, outcome));
                Ok(())
            }
            (None, Outcome::Ok(detail)) => writeln!(self.output, "ok       {name}: {detail}"),
            (None, Outcome::Skipped(why)) => writeln!(self.output, "skipped  {name}: {why}"),
            (None, Outcome::Failed(failure)) => writeln!(
                self.output,
                "FAILED   {name}: {}\n         remedy: {}",
                failure.what, failure.remedy
            ),
        };
        written.and_then(|()| self.output.flush()).map_err(|error| CliError::Unexpected(error.into()))?;
        if let Outcome::Failed(failure) = outcome {
            self.failed += 1;
            self.first.get_or_insert(failure.code);
            return Ok(false);
        }
        Ok(true)
    }

    fn finish(self) -> Result<(), CliError> {
        let Self { output, json, failed, first } = self;
        if let Some(checks) = json {
            let all = json!({ "checks": checks, "failed": failed, "code": first.map_or(0, Code::number) });
            writeln!(output, "{all:#}").map_err(|error| CliError::Unexpected(error.into()))?;
        }
        match first {
            None => Ok(()),
            Some(code) => Err(CliError::Checks { failed, code }),
        }
    }
}

/// How a check ended, for programs.
fn as_json(name: &str, outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Ok(detail) => json!({ "check": name, "outcome": "ok", "detail": detail }),
        Outcome::Skipped(why) => json!({ "check": name, "outcome": "skipped", "detail": why }),
        Outcome::Failed(Failure { code, what, remedy }) => json!({
            "check": name, "outcome": "failed", "detail": what, "remedy": remedy, "code": code.number(),
        }),
    }
}

/// Checks, and prints what it finds.
pub async fn check(
    arguments: &Arguments,
    environment: Environment<'_>,
    output: &mut dyn Write,
) -> Result<(), CliError> {
    let mut findings = Findings::new(output, arguments.json);
    let config = match load(arguments, environment) {
        Ok(config) => config,
        // For people it is the error that the command ends with.
        Err(error) if arguments.json => {
            let remedy = "mend the file; docs/configuration.md says what may stand there";
            let failure = Failure::new(error.code(), error.to_string(), remedy);
            findings.add("configuration", Outcome::Failed(failure))?;
            return findings.finish();
        }
        Err(error) => return Err(error),
    };
    let file = config.file.display().to_string();
    findings.add("configuration", Outcome::Ok(file))?;
    for (room, shown) in rooms_of_several(&config) {
        findings.add(&format!("room {room}"), Outcome::Ok(format!("shows {shown}")))?;
    }
    if arguments.file_only {
        return findings.finish();
    }
    findings.add("key file", key_file(&config))?;
    findings.add("registration file", registration_file(&config))?;
    if !arguments.offline {
        let database = database::check(&config).await;
        let is_fit = !matches!(database, Outcome::Failed(_));
        findings.add("database", database)?;
        if is_fit {
            findings.add("database speed", database::speed(&config).await)?;
        }
        Box::pin(homeserver::check(&config, &mut findings)).await?;
        findings.add("media links", media::check(&config).await?)?;
        findings.add("ident", ident::check(&config).await)?;
        networks::check(&config, &arguments.network, &mut findings).await?;
    }
    findings.finish()
}

/// The rooms that show several channels, and which: an id that was pasted twice looks like one.
fn rooms_of_several(config: &Config) -> Vec<(&str, String)> {
    let mut shown: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (slug, network) in &config.networks {
        for (channel, room) in &network.channels {
            shown.entry(room).or_default().push(format!("{channel} on {slug}"));
        }
    }
    shown.retain(|_, channels| channels.len() > 1);
    shown.into_iter().map(|(room, channels)| (room, channels.join(" and "))).collect()
}

/// The configuration, as much of it as is to be checked.
fn load(arguments: &Arguments, environment: Environment<'_>) -> Result<Config, CliError> {
    let file = &arguments.config.config;
    let config = if arguments.file_only {
        Config::load_file_only(file, environment)?
    } else {
        Config::load(file, environment)?
    };
    super::check_settings(&config)?;
    Ok(config)
}

fn key_file(config: &Config) -> Outcome {
    match secret::read_keys(&config.secret_key_file) {
        Ok(keys) if !keys.older.is_empty() => Outcome::Ok(format!(
            "{}; an older key is there, too, until `towline key retire`",
            config.secret_key_file.display()
        )),
        Ok(_) => Outcome::Ok(config.secret_key_file.display().to_string()),
        Err(error) => Outcome::Failed(Failure::new(
            Code::Configuration,
            error.to_string(),
            "bring the file back from a copy; only where no database was used yet, make a new one with `towline init` \
             in an empty folder",
        )),
    }
}

/// Whether the registration still says what the configuration does.
fn registration_file(config: &Config) -> Outcome {
    let file = config.appservice.registration_file.display();
    let renew = "run `towline registration` and give the file to the homeserver again";
    let text = match std::fs::read_to_string(&config.appservice.registration_file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            // Not needed where the tokens are given otherwise; what counts is what the homeserver has.
            return Outcome::Skipped(format!("there is no {file}"));
        }
        Err(error) => {
            let what = format!("{file} can't be read: {error}");
            return Outcome::Failed(Failure::new(Code::Registration, what, "make it readable to Towline"));
        }
    };
    let found = match Registration::read(&text) {
        Ok(found) => found,
        Err(error) => {
            let what = format!("{file} is no registration: {error}");
            return Outcome::Failed(Failure::new(Code::Registration, what, renew));
        }
    };
    let differences = differences(config, &found);
    if differences.is_empty() {
        return Outcome::Ok(file.to_string());
    }
    let what = format!("{file} and the configuration differ in {}", differences.join(", "));
    Outcome::Failed(Failure::new(Code::Registration, what, renew))
}
