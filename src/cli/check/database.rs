//! Whether the database is there, can be read, belongs to the key, and how fast it has something in safety. It is only
//! read, also while Towline runs.

use std::time::Duration;

use super::{Failure, Outcome};
use crate::cli::{Code, run};
use crate::config::{Config, Database};
use crate::store::{self, OpenError, Store};

/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// A commit that takes longer holds up people: each answer to the homeserver waits for one.
const SLOW: Duration = Duration::from_secs(1);

pub(super) async fn check(config: &Config) -> Outcome {
    if let Database::Sqlite { path } = &config.database
        && !path.exists()
    {
        return match path.parent() {
            Some(folder) if folder.is_dir() => {
                Outcome::Skipped(format!("{} is not there yet: the first start makes it", path.display()))
            }
            _ => failed(
                Code::Database,
                format!("there is no folder for {}", path.display()),
                "make it, and give it to the user that Towline runs as; or `database.url` is to be another",
            ),
        };
    }
    let Ok(options) = run::store_options(config) else {
        return Outcome::Skipped("it can't be looked at without the key".to_owned());
    };
    let looked = async {
        let store = Store::open_to_read(&options).await?;
        let is_ours = store.is_of_this_key().await;
        store.close().await;
        Ok::<_, OpenError>(is_ours?)
    };
    match tokio::time::timeout(PATIENCE, looked).await {
        Ok(Ok(true)) => Outcome::Ok(config.database.to_string()),
        Ok(Ok(false)) => failed(
            Code::Configuration,
            format!(
                "{} was made with another key than {}",
                config.database,
                config.secret_key_file.display()
            ),
            "bring that key file back from a copy, or name the database that belongs to this one",
        ),
        Ok(Err(error @ OpenError::SchemaOlder { .. })) => Outcome::Ok(error.to_string()),
        Ok(Err(error @ OpenError::SchemaNewer { .. })) => failed(
            Code::SchemaNewer,
            error.to_string(),
            "install that version again, or restore a backup from before it: `towline restore`",
        ),
        Ok(Err(error)) => unreachable(config, &error.to_string()),
        Err(_) => unreachable(config, "it does not answer"),
    }
}

/// How long a commit takes.
pub(super) async fn speed(config: &Config) -> Outcome {
    let Ok(options) = run::store_options(config) else {
        return Outcome::Skipped("it can't be looked at without the key".to_owned());
    };
    match tokio::time::timeout(PATIENCE, store::commit_time(&options.url)).await {
        Ok(Ok(time)) => judge_speed(time),
        // Whether Towline's own user may write there is not for this one to say.
        Ok(Err(error)) => Outcome::Skipped(format!("it can't be measured: {error}")),
        Err(_) => judge_speed(PATIENCE),
    }
}

fn judge_speed(time: Duration) -> Outcome {
    let taken = format!("a commit takes {}.{} ms", time.as_millis(), time.subsec_micros() / 100 % 10);
    if time < SLOW {
        return Outcome::Ok(taken);
    }
    failed(
        Code::Database,
        format!("{taken}; every answer to the homeserver waits for one"),
        "put the database on a faster disk (not on a network's), or see what else keeps that one busy",
    )
}

fn unreachable(config: &Config, error: &str) -> Outcome {
    let remedy = match config.database {
        Database::Sqlite { .. } => {
            "see whether the user that Towline runs as may read and write the file and its folder"
        }
        Database::Postgres { .. } => {
            "see whether PostgreSQL runs, and whether `database.url` names its address, user, password and database"
        }
    };
    failed(Code::Database, format!("{}: {error}", config.database), remedy)
}

fn failed(code: Code, what: String, remedy: &str) -> Outcome {
    Outcome::Failed(Failure::new(code, what, remedy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_disk_is_told() {
        assert!(
            matches!(judge_speed(Duration::from_micros(2_340)), Outcome::Ok(said) if said.contains("2.3 ms"))
        );
        assert!(matches!(judge_speed(SLOW), Outcome::Failed(failure) if failure.what.contains("1000.0 ms")));
    }
}
