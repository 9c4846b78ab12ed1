//! `limits`: what administrators have the bridge take on.

use super::meant::first_word;
use super::{Context, usage};
use crate::bridge::{LimitOrigin, Outcome, Refusal};
use crate::config::History;
use crate::config::limits::Limit;
use crate::format::{RichText, Table};

/// `limits [NAME [VALUE | off] [confirm]]`.
pub(super) async fn limits(context: Context<'_>) -> Outcome {
    let (name, rest) = first_word(context.rest);
    if name.is_empty() {
        return all(&context).await;
    }
    let Some(limit) = Limit::find(name) else {
        let text = RichText::plain("There is no limit ").code(name).text(". To see all, type ");
        return Err(Refusal::Asked(text.code("limits").text(".")));
    };
    let (value, sure) = first_word(rest);
    let is_sure = sure.eq_ignore_ascii_case("confirm");
    if !sure.is_empty() && !is_sure {
        return usage(&context, "limits");
    }
    if value.is_empty() {
        return one(&context, limit).await;
    }
    let value = Some(value).filter(|value| !value.eq_ignore_ascii_case("off"));
    let wanted = context.bridge.limit_with(limit, value)?;
    let has_less = match (wanted.history, context.bridge.limits().history) {
        (History::Days(days), History::Days(now)) => days < now,
        (History::Days(_), History::Keep) => true,
        (History::Keep, _) => false,
    };
    if has_less && !is_sure {
        let text = RichText::plain(format!(
            "With that, everything that anybody said longer ago than {} is deleted from the history, within a day.",
            limit.value(&wanted)
        ));
        let typed = value.unwrap_or("off");
        return Ok(context.ask(text, limit.name(), format!("limits {} {typed} confirm", limit.name())));
    }
    context.bridge.set_limit(limit, value).await
}

async fn all(context: &Context<'_>) -> Outcome {
    let mut table = Table::new(["limit", "is", "set in", "can change"]);
    for (limit, value, origin) in context.bridge.limits_by_origin().await? {
        table = table.row([
            RichText::new().code(limit.name()),
            RichText::plain(value),
            RichText::plain(in_words(origin)),
            RichText::plain(how(limit, origin)),
        ]);
    }
    let text = RichText::new().table(table).line().text("What one of them is for tells ");
    Ok(text.code("limits NAME").text("."))
}

fn in_words(origin: LimitOrigin) -> &'static str {
    match origin {
        LimitOrigin::BuiltIn => "nothing, it is built in",
        LimitOrigin::Configured => "the configuration",
        LimitOrigin::Set => "here",
    }
}

fn how(limit: Limit, origin: LimitOrigin) -> &'static str {
    match origin {
        _ if limit.needs_restart() => "in the configuration, with a restart",
        LimitOrigin::Configured => "in the configuration",
        LimitOrigin::BuiltIn | LimitOrigin::Set => "here, at once",
    }
}

async fn one(context: &Context<'_>, limit: Limit) -> Outcome {
    let all = context.bridge.limits_by_origin().await?;
    let found = all.into_iter().find(|(known, ..)| *known == limit);
    let Some((limit, value, origin)) = found else { return usage(context, "limits") };
    let text = RichText::new().code(format!("{} {value}", limit.name()));
    Ok(text.text(format!(
        " (set in {}; it changes {}): {}",
        in_words(origin),
        how(limit, origin),
        limit.meaning()
    )))
}
