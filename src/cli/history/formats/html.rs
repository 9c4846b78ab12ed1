//! HTML: a page that needs nothing else, with a section for each conversation and a heading for each day.

use crate::cli::history::zone::Zone;
use crate::format::{escape_html, history_line};
use crate::store::{KeptLine, OwnBuffer};

/// What stands before everything.
pub(in crate::cli::history) fn begin(user: &str, network: &str) -> String {
    let title = escape_html(&format!("{network}: what {user} keeps"));
    format!(
        "<!DOCTYPE html>\n<html>\n<head>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n<style>\n\
         body {{ font-family: sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; }}\n\
         p {{ margin: 0.1em 0 0.1em 5em; text-indent: -5em; overflow-wrap: anywhere; }}\n\
         time {{ color: #777; font-family: monospace; }}\n.event {{ color: #777; }}\n</style>\n</head>\n<body>\n\
         <h1>{title}</h1>\n"
    )
}

/// What stands behind everything.
pub(in crate::cli::history) fn end() -> &'static str {
    "</body>\n</html>\n"
}

/// The heading of a conversation.
pub(in crate::cli::history) fn heading(buffer: &OwnBuffer) -> String {
    format!("<h2>{}</h2>\n", escape_html(&buffer.name))
}

/// The line for what happened, below the heading of its day where that is a new one.
pub(in crate::cli::history) fn write(line: &KeptLine, day: &mut String, zone: &Zone) -> String {
    let time = zone.local(line.at);
    let mut html = String::new();
    let date = time.strftime("%Y-%m-%d").to_string();
    if *day != date {
        html.push_str(&format!("<h3>{date}</h3>\n"));
        *day = date;
    }
    let said = history_line(&line.kind, &line.sender, line.target.as_deref(), &line.text);
    let said = said.to_html().unwrap_or_else(|| escape_html(&said.to_plain()));
    let class = match line.kind.as_str() {
        "message" | "notice" | "action" => "",
        _ => " class=\"event\"",
    };
    html.push_str(&format!("<p{class}><time>{}</time> {said}</p>\n", time.strftime("%H:%M:%S")));
    html
}
