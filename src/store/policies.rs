//! What policy lists say, as it was read last: so that it holds from the start on, also while their servers are away.

use sqlx::FromRow;

use super::pool::{Tx, execute, on};
use super::{Store, StoreError};

/// A rule of a policy list.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct PolicyRule {
    /// The type of its event.
    pub kind: String,
    /// The state key of its event.
    pub state_key: String,
    /// Whom it is about.
    pub entity: String,
    /// Why; may be empty.
    pub reason: String,
}

impl Store {
    /// All rules of a list, which is known by what the configuration calls it.
    pub async fn policy_rules(&self, list: &str) -> Result<Vec<PolicyRule>, StoreError> {
        const SQL: &str = "SELECT kind, state_key, entity, reason FROM policy_rule WHERE list = $1 ORDER BY kind, state_key";
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).bind(list).fetch_all(p).await)?)
    }

    /// A list has these rules and no others.
    pub async fn set_policy_rules(&self, list: &str, rules: Vec<PolicyRule>) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM policy_rule WHERE list = $1";
        let list = list.to_owned();
        self.write(move |tx| {
            Box::pin(async move {
                execute!(tx, SQL, list.clone())?;
                for rule in rules {
                    insert(tx, &list, rule).await?;
                }
                Ok(())
            })
        })
        .await
    }

    /// Rules of a list have changed, or are gone: each by the type and the state key of its event.
    pub async fn change_policy_rules(
        &self,
        list: &str,
        changes: Vec<((String, String), Option<PolicyRule>)>,
    ) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM policy_rule WHERE list = $1 AND kind = $2 AND state_key = $3";
        let list = list.to_owned();
        self.write(move |tx| {
            Box::pin(async move {
                for ((kind, state_key), rule) in changes {
                    execute!(tx, SQL, list.clone(), kind, state_key)?;
                    if let Some(rule) = rule {
                        insert(tx, &list, rule).await?;
                    }
                }
                Ok(())
            })
        })
        .await
    }

    /// Forgets the lists that are named no more.
    pub async fn keep_policy_lists(&self, named: &[String]) -> Result<(), StoreError> {
        const LISTS: &str = "SELECT DISTINCT list FROM policy_rule";
        let known: Vec<String> = on!(self.readers(), |p| sqlx::query_scalar(LISTS).fetch_all(p).await)?;
        for list in known.into_iter().filter(|list| !named.contains(list)) {
            self.set_policy_rules(&list, Vec::new()).await?;
        }
        Ok(())
    }
}

async fn insert(tx: &mut Tx, list: &str, rule: PolicyRule) -> Result<(), StoreError> {
    const SQL: &str =
        "INSERT INTO policy_rule (list, kind, state_key, entity, reason) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (list, kind, state_key) DO UPDATE SET entity = excluded.entity, reason = excluded.reason";
    let PolicyRule { kind, state_key, entity, reason } = rule;
    let list = list.to_owned();
    execute!(tx, SQL, list, kind, state_key, entity, reason)?;
    Ok(())
}
