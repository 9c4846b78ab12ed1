//! `towline vacuum`: has the database give back what it no longer needs.

use std::io::Write;

use super::{CliError, ConfigArgument, run};
use crate::config::{Config, Environment};
use crate::store::{self, Vacuumed};

/// Vacuums the database.
pub async fn vacuum(
    arguments: &ConfigArgument,
    environment: Environment<'_>,
    output: &mut (dyn Write + Send),
) -> Result<(), CliError> {
    let config = Config::load(&arguments.config, environment)?;
    let options = run::store_options(&config)?;
    let done = store::vacuum(&options).await.map_err(|error| run::unopened(error, &config))?;
    let Vacuumed { before, after } = done;
    writeln!(output, "{}: {} before, {} now", config.database, in_words(before), in_words(after))
        .map_err(|error| CliError::Unexpected(error.into()))
}

fn in_words(bytes: i64) -> String {
    match bytes {
        0..1_048_576 => format!("{} KiB", bytes / 1_024),
        _ => format!("{} MiB", bytes / 1_048_576),
    }
}

#[cfg(test)]
mod tests {
    use super::in_words;

    #[rstest::rstest]
    #[case::small(8_192, "8 KiB")]
    #[case::just_below(1_048_575, "1023 KiB")]
    #[case::large(5_300_000_000, "5054 MiB")]
    fn a_size_is_told_in_round_numbers(#[case] bytes: i64, #[case] words: &str) {
        assert_eq!(in_words(bytes), words);
    }
}
