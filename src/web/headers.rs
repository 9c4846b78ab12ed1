//! What every answer says to browsers: run nothing, guess nothing, tell nobody.
//!
//! Shown in the browser is only what the specification holds for safe ("Serving inline content"); everything else, HTML,
//! SVG and PDF first, is a file to be saved, of no type that anything would open by itself.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

/// Nothing is loaded, nothing runs, and the page has no origin.
pub(super) const NOTHING_RUNS: &str = "sandbox; default-src 'none'";
/// As that; but a browser that shows a recording by itself loads it from its own address.
pub(super) const NOTHING_RUNS_BUT_RECORDINGS: &str = "sandbox; default-src 'none'; media-src 'self'";
/// Each time it is asked whether it is still there: what was taken back must not live on.
pub(super) const ASK_EACH_TIME: &str = "private, no-cache";
pub(super) const NEVER_STORE: &str = "no-store";

/// The types that may be shown; see "Serving inline content" in the client-server API.
const SHOWN: [&str; 26] = [
    "text/css",
    "text/plain",
    "text/csv",
    "application/json",
    "application/ld+json",
    "image/jpeg",
    "image/gif",
    "image/png",
    "image/apng",
    "image/webp",
    "image/avif",
    "video/mp4",
    "video/webm",
    "video/ogg",
    "video/quicktime",
    "audio/mp4",
    "audio/webm",
    "audio/aac",
    "audio/mpeg",
    "audio/ogg",
    "audio/wave",
    "audio/wav",
    "audio/x-wav",
    "audio/x-pn-wav",
    "audio/flac",
    "audio/x-flac",
];

/// Puts a header in; a value that can't be one is left out.
pub(super) fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// What every answer has.
pub(super) fn protect(headers: &mut HeaderMap, policy: &str, cache: &'static str) {
    set(headers, header::CONTENT_SECURITY_POLICY, policy);
    set(headers, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    // Pictures may be shown by whatever shows the channel.
    set(headers, HeaderName::from_static("cross-origin-resource-policy"), "cross-origin");
    set(headers, header::REFERRER_POLICY, "no-referrer");
    set(headers, HeaderName::from_static("x-robots-tag"), "noindex");
    set(headers, header::CACHE_CONTROL, cache);
}

/// How a file is handed out: its `Content-Type`, and whether it may be shown.
pub(super) fn kind(mimetype: Option<&str>) -> (&'static str, bool) {
    let essence = mimetype.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
    match SHOWN.iter().find(|shown| shown.eq_ignore_ascii_case(essence)) {
        Some(&"text/plain") => ("text/plain; charset=utf-8", true),
        Some(shown) => (shown, true),
        None => ("application/octet-stream", false),
    }
}

/// `Content-Disposition` (RFC 6266): the name as it is for those who read RFC 8187, and without what is not ASCII for the
/// others.
pub(super) fn disposition(name: &str, is_shown: bool) -> String {
    let how = if is_shown { "inline" } else { "attachment" };
    // A path in a name would be a wish; a control character, an attack.
    let name: String = name
        .rsplit(['/', '\\'])
        .next()
        .unwrap_or_default()
        .chars()
        .filter(|&letter| is_fit(letter))
        .collect();
    let name = name.trim_matches(['.', ' ']);
    if name.is_empty() {
        return how.to_owned();
    }
    let plain: String =
        name.chars().map(|c| if c.is_ascii() && c != '"' && c != '%' { c } else { '_' }).collect();
    if plain == name {
        return format!("{how}; filename=\"{plain}\"");
    }
    let mut exact = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
            exact.push(char::from(byte));
        } else {
            exact.push_str(&format!("%{byte:02X}"));
        }
    }
    format!("{how}; filename=\"{plain}\"; filename*=UTF-8''{exact}")
}

/// Neither a control character nor one that turns the text around.
fn is_fit(letter: char) -> bool {
    !letter.is_control()
        && !matches!(letter, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::picture(Some("image/png"), "image/png", true)]
    #[case::capitals_and_parameters(Some("Image/PNG; x=y"), "image/png", true)]
    #[case::text(Some("text/plain; charset=shift_jis"), "text/plain; charset=utf-8", true)]
    #[case::html(Some("text/html"), "application/octet-stream", false)]
    #[case::xhtml(Some("application/xhtml+xml"), "application/octet-stream", false)]
    #[case::svg(Some("image/svg+xml"), "application/octet-stream", false)]
    #[case::pdf(Some("application/pdf"), "application/octet-stream", false)]
    #[case::script(Some("text/javascript"), "application/octet-stream", false)]
    #[case::a_list(Some("image/png, text/html"), "application/octet-stream", false)]
    #[case::nothing(None, "application/octet-stream", false)]
    #[case::empty(Some(""), "application/octet-stream", false)]
    fn only_safe_types_are_shown(
        #[case] mimetype: Option<&str>,
        #[case] content_type: &str,
        #[case] shown: bool,
    ) {
        assert_eq!(kind(mimetype), (content_type, shown));
    }

    #[rstest]
    #[case::plain("cat.jpg", "attachment; filename=\"cat.jpg\"")]
    #[case::spaces("my cat.jpg", "attachment; filename=\"my cat.jpg\"")]
    #[case::another_script(
        "кот.jpg",
        "attachment; filename=\"___.jpg\"; filename*=UTF-8''%D0%BA%D0%BE%D1%82.jpg"
    )]
    #[case::quotation_mark("a\"b.png", "attachment; filename=\"a_b.png\"; filename*=UTF-8''a%22b.png")]
    #[case::percent("100%.png", "attachment; filename=\"100_.png\"; filename*=UTF-8''100%25.png")]
    #[case::line_feed("a\r\nX-Evil: 1.png", "attachment; filename=\"aX-Evil: 1.png\"")]
    #[case::path("../../etc/passwd", "attachment; filename=\"passwd\"")]
    #[case::path_of_windows("..\\evil.exe", "attachment; filename=\"evil.exe\"")]
    #[case::turned_around("gpj.\u{202E}exe", "attachment; filename=\"gpj.exe\"")]
    #[case::hidden(".bashrc", "attachment; filename=\"bashrc\"")]
    #[case::nothing("", "attachment")]
    fn a_files_name_is_one(#[case] name: &str, #[case] header: &str) {
        assert_eq!(disposition(name, false), header);
    }
}
