//! `towline check`: the configuration, then the homeserver, each failure with its remedy.
//!
//! It says all that it can find in one run and ends with the code of the first failure. It does not need Towline to
//! run: where nothing listens at `appservice.listen`, it answers the homeserver's ping itself (`listener`).
//!
//! It leaves one trace on the homeserver: the user of its probe, which is the only way to see whether another
//! application service holds the same names. The probe alias is taken away again.

mod homeserver;
mod listener;
mod media;

use std::io::Write;

use super::registration::claims;
use super::{CliError, Code, ConfigArgument};
use crate::config::{Config, Environment, secret};
use crate::matrix::registration::Registration;

/// What `towline check` takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    config: ConfigArgument,
    /// Check only what needs no homeserver
    #[arg(long)]
    offline: bool,
    /// Check only the file itself, for instance before it goes to another machine: no secret that it leaves to other
    /// files or to the environment, no key, no registration, no homeserver
    #[arg(long)]
    file_only: bool,
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

/// The checks so far, each printed as it ends.
struct Findings<'a> {
    output: &'a mut dyn Write,
    failed: usize,
    first: Option<Code>,
}

impl Findings<'_> {
    /// Prints how a check ended, and says whether what depends on it can go on.
    fn add(&mut self, name: &str, outcome: Outcome) -> Result<bool, CliError> {
        let written = match &outcome {
            Outcome::Ok(detail) => writeln!(self.output, "ok       {name}: {detail}"),
            Outcome::Skipped(why) => writeln!(self.output, "skipped  {name}: {why}"),
            Outcome::Failed(failure) => writeln!(
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
        match self.first {
            None => Ok(()),
            Some(code) => Err(CliError::Checks { failed: self.failed, code }),
        }
    }
}

/// Checks, and prints what it finds.
pub async fn check(
    arguments: &Arguments,
    environment: Environment<'_>,
    output: &mut dyn Write,
) -> Result<(), CliError> {
    let mut findings = Findings { output, failed: 0, first: None };
    let config = if arguments.file_only {
        Config::load_file_only(&arguments.config.config, environment)?
    } else {
        Config::load(&arguments.config.config, environment)?
    };
    super::check_settings(&config)?;
    let file = config.file.display().to_string();
    findings.add("configuration", Outcome::Ok(file))?;
    if arguments.file_only {
        return findings.finish();
    }
    findings.add("key file", key_file(&config))?;
    findings.add("registration file", registration_file(&config))?;
    if !arguments.offline {
        homeserver::check(&config, &mut findings).await?;
        findings.add("media links", media::check(&config).await?)?;
    }
    findings.finish()
}

fn key_file(config: &Config) -> Outcome {
    match secret::read_key(&config.secret_key_file) {
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
    let appservice = &config.appservice;
    let ours = Registration::new(&claims(config), appservice.as_token.clone(), appservice.hs_token.clone());
    let differences = ours.differences(&found);
    if differences.is_empty() {
        return Outcome::Ok(file.to_string());
    }
    let what = format!("{file} and the configuration differ in {}", differences.join(", "));
    Outcome::Failed(Failure::new(Code::Registration, what, renew))
}
