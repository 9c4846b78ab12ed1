//! `towline registration`: the registration again, from the configuration as it is now.

use std::io::Write;

use secrecy::{ExposeSecret as _, SecretString};

use super::{CliError, ConfigArgument, FlavourArgument, files};
use crate::clock::random_bytes;
use crate::config::{self, Config, Environment};
use crate::matrix::double_puppet::DoublePuppet;
use crate::matrix::registration::{self, Claims, Flavour, Registration};

/// What `towline registration` takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    config: ConfigArgument,
    /// For which homeserver: the registration is the same, its comments say where to put it
    #[arg(long, value_enum, default_value = "synapse")]
    flavour: FlavourArgument,
    /// Write the second registration, for double puppeting, instead
    #[arg(long)]
    double_puppet: bool,
    /// Print the registration instead of writing it
    #[arg(long)]
    print: bool,
    /// Make new tokens; those of before are kept beside it until the homeserver has the new ones
    #[arg(long, conflicts_with_all = ["print", "double_puppet"])]
    new_tokens: bool,
}

/// What the configuration claims on the homeserver.
pub fn claims(config: &Config) -> Claims<'_> {
    Claims {
        id: &config.appservice.id,
        bot: &config.appservice.bot,
        url: &config.appservice.url,
        domain: &config.homeserver.domain,
        ghost_prefix: config.templates.ghost.prefix(),
        alias_prefix: config.templates.alias_prefix(),
        shared_alias_prefix: config.templates.shared_alias.as_ref().map(config::Template::prefix),
    }
}

/// In what a registration differs from what the configuration says by now.
pub(super) fn differences(config: &Config, found: &Registration) -> Vec<&'static str> {
    let appservice = &config.appservice;
    Registration::new(&claims(config), appservice.as_token.clone(), appservice.hs_token.clone())
        .differences(found)
}

/// Writes the registration, or prints it.
pub fn registration(
    arguments: &Arguments,
    environment: Environment<'_>,
    output: &mut dyn Write,
) -> Result<(), CliError> {
    let config = Config::load_before_registration(&arguments.config.config, environment)?;
    if arguments.double_puppet {
        return double_puppet(arguments, &config, output);
    }
    let file = &config.appservice.registration_file;
    let old = existing(&config)?;
    if arguments.new_tokens {
        return new_tokens(&config, arguments.flavour.into(), output);
    }
    let complete = [&config.appservice.as_token, &config.appservice.hs_token].iter().all(|t| is_given(t));
    if arguments.print && !complete {
        let message =
            "there is no registration to print yet; run `towline registration` without --print first";
        return Err(CliError::Registration(message.to_owned()));
    }
    let fresh = Registration::generate(&claims(&config), &mut random_bytes)
        .map_err(|error| CliError::Unexpected(error.into()))?;
    let new = Registration {
        as_token: given_or(&config.appservice.as_token, fresh.as_token),
        hs_token: given_or(&config.appservice.hs_token, fresh.hs_token),
        ..fresh
    };
    let text = new.to_yaml(arguments.flavour.into());
    let said = if arguments.print {
        write!(output, "{text}")
    } else {
        files::replace(file, &text)?;
        report(&new, old.as_ref(), &config, output)
    };
    said.map_err(|error| CliError::Unexpected(error.into()))
}

/// Writes the registration with other tokens, and keeps those of before where the next start finds them.
fn new_tokens(config: &Config, flavour: Flavour, output: &mut dyn Write) -> Result<(), CliError> {
    let appservice = &config.appservice;
    let (file, kept) = (&appservice.registration_file, appservice.previous_file());
    let Some(old) = existing(config)? else {
        let message = "there is no registration yet: run `towline registration` without --new-tokens";
        return Err(CliError::Registration(message.to_owned()));
    };
    let is_same = |one: &SecretString, other: &SecretString| one.expose_secret() == other.expose_secret();
    if !is_same(&old.as_token, &appservice.as_token) || !is_same(&old.hs_token, &appservice.hs_token) {
        return Err(CliError::Registration(format!(
            "the tokens are not those of {}: the configuration or the environment gives them. Change them there and reload \
             Towline, then run `towline registration` and give the file to the homeserver",
            file.display()
        )));
    }
    if kept.exists() {
        return Err(CliError::Registration(format!(
            "{} is there, so the last change of tokens is not finished: give {} to the homeserver, restart that, and \
             delete the other",
            kept.display(),
            file.display()
        )));
    }
    let new = Registration::generate(&claims(config), &mut random_bytes)
        .map_err(|error| CliError::Unexpected(error.into()))?;
    files::create(&kept, &old.to_yaml(flavour))?;
    files::replace(file, &new.to_yaml(flavour)).inspect_err(|_| {
        // Nothing has changed, so nothing is to be kept.
        let _ = std::fs::remove_file(&kept);
    })?;
    let (file, kept) = (file.display(), kept.display());
    let said = write!(
        output,
        "{file} has new tokens; those of before are in {kept}. Next:\n\
         1. Reload Towline (systemctl reload towline, or SIGHUP): it takes either from then on.\n\
         2. Give {file} to the homeserver, as its first lines say. Messages wait meanwhile, on both sides.\n\
         3. When `towline check` finds all well, delete {kept}.\n"
    );
    said.map_err(|error| CliError::Unexpected(error.into()))
}

/// Writes the second registration, or prints it.
fn double_puppet(arguments: &Arguments, config: &Config, output: &mut dyn Write) -> Result<(), CliError> {
    let Some(wanted) = &config.double_puppet else {
        let message = "the configuration wants none; set `double_puppet.registration_file` first";
        return Err(CliError::Registration(message.to_owned()));
    };
    let text = double_puppet_text(config, wanted, arguments.flavour.into())?;
    let said = if arguments.print {
        write!(output, "{text}")
    } else {
        files::replace(&wanted.registration_file, &text)?;
        let file = wanted.registration_file.display();
        writeln!(output, "{file} is written. Give it to the homeserver, as its first lines say.")
    };
    said.map_err(|error| CliError::Unexpected(error.into()))
}

/// The second registration, with the tokens that it has, or new ones.
pub fn double_puppet_text(
    config: &Config,
    known: &config::DoublePuppet,
    flavour: Flavour,
) -> Result<String, CliError> {
    let fresh = || registration::token(&mut random_bytes).map_err(|error| CliError::Unexpected(error.into()));
    let registration = DoublePuppet {
        id: DoublePuppet::name(&config.appservice.id),
        sender: DoublePuppet::name(&config.appservice.bot),
        domain: config.homeserver.domain.clone(),
        as_token: given_or(&known.as_token, fresh()?),
        hs_token: given_or(&known.hs_token, fresh()?),
    };
    Ok(registration.to_yaml(flavour))
}

/// The registration that is there, which must be this configuration's.
fn existing(config: &Config) -> Result<Option<Registration>, CliError> {
    let file = config.appservice.registration_file.display();
    let Ok(text) = std::fs::read_to_string(&config.appservice.registration_file) else {
        return Ok(None);
    };
    let old = Registration::read(&text)
        .map_err(|error| CliError::Registration(format!("{file} is no registration: {error}")))?;
    if old.id == config.appservice.id {
        return Ok(Some(old));
    }
    Err(CliError::Registration(format!(
        "{file} has the id {:?}, the configuration {:?}: an id never changes, so set `appservice.id` to the first, \
         or move the file away to begin anew",
        old.id, config.appservice.id
    )))
}

fn report(
    new: &Registration,
    old: Option<&Registration>,
    config: &Config,
    output: &mut dyn Write,
) -> std::io::Result<()> {
    let file = config.appservice.registration_file.display();
    match old.map(|old| new.differences(old)) {
        Some(same) if same.is_empty() => writeln!(output, "{file} says the same as before."),
        Some(changed) => {
            writeln!(output, "{file} is written anew; changed: {}.", changed.join(", "))?;
            writeln!(output, "Give it to the homeserver again, as its first lines say.")
        }
        None => writeln!(output, "{file} is written. Give it to the homeserver, as its first lines say."),
    }
}

fn is_given(token: &SecretString) -> bool {
    !token.expose_secret().is_empty()
}

fn given_or(token: &SecretString, fresh: SecretString) -> SecretString {
    if is_given(token) { token.clone() } else { fresh }
}
