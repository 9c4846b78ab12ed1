//! What each element of HTML becomes, in each style; whole messages of real clients are in `tests/it/corpus`.

use std::borrow::Cow;

use proptest::prelude::*;
use rstest::rstest;

use super::super::{Limit, lines_of, neutral, read_irc, split_line, strip_irc, visible_irc};
use super::*;

/// Alice is `al` on IRC, and one room shows `#rust`.
struct Known;

impl Names for Known {
    fn nick(&self, user_id: &str) -> Option<Cow<'_, str>> {
        (user_id == "@alice:x.example").then_some("al".into())
    }

    fn channel(&self, room: &str) -> Option<Cow<'_, str>> {
        (room == "#irc_rust:x.example" || room == "!r:x.example").then_some("#rust".into())
    }

    fn display_name(&self, nick: &str) -> String {
        format!("{nick} (IRC)")
    }
}

fn written(html: &str, options: Options) -> String {
    read_html(html, options, &Known).unwrap_or_default()
}

fn codes(html: &str) -> String {
    written(html, Options::default())
}

#[rstest]
#[case::bold("a <b>b</b> c", "a \x02b\x0f c")]
#[case::bold_otherwise("<strong>b</strong>", "\x02b")]
#[case::italic("<i>a</i> <em>b</em>", "\x1da b")]
#[case::underlined("<u>a</u>", "\x1fa")]
#[case::struck("<s>a</s><del>b</del><strike>c</strike>", "\x1eabc")]
#[case::code("<code>a</code>", "\x11a")]
#[case::in_each_other("<b>a <i>b</i> c</b> d", "\x02a \x1db\x1d c\x0f d")]
#[case::a_space_that_belongs_to_it("<u>a </u>b", "\x1fa\x0f b")]
#[case::white_space("  a\n\t b<b> c </b> d\n", "a b \x02c\x0f d")]
#[case::no_break_between("a&nbsp;b", "a\u{a0}b")]
#[case::entities("&lt;b&gt; &amp;amp; &#x1F600;", "<b> &amp; 😀")]
#[case::a_line_break("a<br>b<br />c", "a\nb\nc")]
#[case::an_empty_line("a<br><br><br>b", "a\n\nb")]
#[case::a_look_over_lines("<b>a<br>b</b>c", "\x02a\n\x02b\x0fc")]
#[case::paragraphs("<p>a</p>\n<p>b</p>", "a\n\nb")]
#[case::divisions("<div>a</div><div>b</div>c", "a\nb\nc")]
#[case::a_paragraph_of_a_space("<p>a</p><p>&nbsp;</p><p>b</p>", "a\n\nb")]
#[case::a_heading("<h1>a</h1><p>b</p>", "\x02a\nb")]
#[case::a_rule("<p>a</p><hr><p>b</p>", "a\n---\nb")]
#[case::raised("x<sup>2</sup> a<sub>n+1</sub> 1<sup>st</sup>", "x^2 a_(n+1) 1^(st)")]
#[case::details("<details><summary>a</summary>b<p>c</p></details>d", "\x02a\nb\nc\nd")]
#[case::unknown_elements("<blink>a</blink><x-y>b</x-y>", "ab")]
#[case::a_comment("a<!-- b -->c", "ac")]
#[case::a_script("a<script>b</script><style>c</style>d", "ad")]
#[case::a_replys_fallback("<mx-reply><blockquote>old</blockquote></mx-reply>new", "new")]
#[case::only_invisible_things("<b>&#x200b;</b><p> </p>", "")]
fn elements_have_their_codes(#[case] html: &str, #[case] text: &str) {
    assert_eq!(codes(html), text);
}

#[rstest]
#[case::a_quotation("<blockquote>a<br>b</blockquote>c", "> a\n> b\nc")]
#[case::of_paragraphs("<blockquote>\n<p>a</p>\n<p>b</p>\n</blockquote>\n<p>c</p>", "> a\n> b\nc")]
#[case::in_a_quotation("<blockquote><blockquote>a</blockquote>b</blockquote>", "> > a\n> b")]
#[case::a_list("a<ul>\n<li>b</li>\n<li>c</li>\n</ul>\nd", "a\n- b\n- c\nd")]
#[case::a_list_of_paragraphs("<ul><li><p>a</p><p>b</p></li><li><p>c</p></li></ul>", "- a\n  b\n- c")]
#[case::numbers("<ol><li>a</li><li>b<br>c</li></ol>", "1. a\n2. b\n   c")]
#[case::from_a_number("<ol start=\"9\"><li>a<li>b<li value=20>c</ol>", "9. a\n10. b\n20. c")]
#[case::from_no_number("<ol start=\"-99999999999999999999\"><li>a</ol>", "1. a")]
#[case::in_a_list("<ul><li>a<ul><li>b<ol><li>c</ol></ul><li>d</ul>", "- a\n  - b\n    1. c\n- d")]
#[case::a_list_in_no_item("<ul><li>a</li><ul><li>b</li></ul></ul>", "- a\n  - b")]
#[case::a_quotation_in_an_item("<ul><li><blockquote>a<br>b</blockquote></ul>", "- > a\n  > b")]
#[case::an_empty_item("<ul><li></li><li>a</li></ul>", "- a")]
#[case::what_is_to_be_done(
    "<ul><li><input type=\"checkbox\"/>a<li><input type=\"checkbox\" checked=\"\">b</ul>",
    "- [ ] a\n- [x] b"
)]
#[case::items_in_no_list("<li>a</li><li>b</li>", "- a\n- b")]
#[case::code(
    "a<pre><code class=\"language-rust\">fn x() {\n    y();\n\n\tz\n}\n</code></pre>b",
    "a\n```rust\nfn x() {\n    y();\n\n    z\n}\n```\nb"
)]
#[case::code_without_language("<pre><code>a &lt; b\n</code></pre>", "```\na < b\n```")]
#[case::code_with_breaks("<pre><code>a<br>  b</code></pre>", "```\na\n  b\n```")]
#[case::code_with_colours("<pre><code><span>a</span> <b>b</b></code></pre>", "```\na b\n```")]
#[case::preformatted("<pre>\n a\n</pre>", "```\n a\n```")]
#[case::code_in_a_quotation("<blockquote><pre><code>a\n</code></pre></blockquote>", "> ```\n> a\n> ```")]
#[case::a_table(
    "<table><thead><tr><th>a</th><th>bb</th></tr></thead><tbody><tr><td>cc</td><td><b>d</b></td></tr></tbody></table>e",
    "\x02a  | bb\ncc | d\ne"
)]
#[case::a_table_with_a_caption("<table><caption>a</caption><tr><td>b<td>c</table>", "a\nb | c")]
#[case::a_table_in_a_cell("<table><tr><td><table><tr><td>a<td>b</table><td>c</table>", "a | b | c")]
#[case::lines_in_a_cell("<table><tr><td>a<br>b<td><p>c</p></table>", "a b | c")]
fn blocks_are_lines(#[case] html: &str, #[case] text: &str) {
    assert_eq!(codes(html), text);
}

#[rstest]
#[case::a_colour("<span data-mx-color=\"#ff0000\">a</span>b", "\x0304a\x0fb")]
#[case::both_colours("<span data-mx-color=\"#fff\" data-mx-bg-color=\"#000\">a</span>", "\x0300,01a")]
#[case::an_old_element("<font color=\"red\">a</font>", "\x0304a")]
#[case::in_a_colour("<font color=red>a<font color=black>b</font>1</font>", "\x0304a\x0301b\x03041")]
#[case::no_colour("<font color=\"javascript\">a</font>", "a")]
#[case::digits_behind("<font color=red>12</font>", "\x030412")]
#[case::a_spoiler("a <span data-mx-spoiler>b <b>c</b></span> d", "a [spoiler] \x0301,01b \x02c\x0f d")]
#[case::a_spoilers_reason("<span data-mx-spoiler=\"the end\">b</span>", "[spoiler: the end] \x0301,01b")]
#[case::a_colour_in_a_spoiler(
    "<span data-mx-spoiler><font color=red>b</font></span>",
    "[spoiler] \x0301,01b"
)]
fn colours_are_of_the_palette(#[case] html: &str, #[case] text: &str) {
    assert_eq!(codes(html), text);
}

#[rstest]
#[case::a_link("<a href=\"https://x.example/a\">b <i>c</i></a>!", "b \x1dc\x0f (https://x.example/a)!")]
#[case::that_says_itself("<a href=\"https://x.example/a\">https://x.example/a</a>", "https://x.example/a")]
#[case::that_says_nearly_itself("<a href=\"https://x.example/\">x.example</a>", "https://x.example/")]
#[case::mail("<a href=\"mailto:a@x.example\">a@x.example</a>", "a@x.example")]
#[case::without_text("<a href=\"https://x.example/\"></a>", "https://x.example/")]
#[case::with_an_image("<a href=\"https://x.example/\"><img alt=\"b\"></a>", "b (https://x.example/)")]
#[case::that_leads_nowhere("<a href=\"javascript:x\">a</a> <a>b</a>", "a b")]
#[case::in_bold("<b><a href=\"https://x.example/\">a</a></b>", "\x02a (https://x.example/)")]
#[case::an_image("<img src=\"mxc://x/y\" alt=\"a\" title=\"b\">", "a")]
#[case::an_images_title("<img src=\"mxc://x/y\" title=\"b\">", "b")]
#[case::an_emoji("<img data-mx-emoticon src=\"mxc://x/y\" alt=\":cat:\" height=\"32\">", ":cat:")]
#[case::an_emoji_without_colons("<img data-mx-emoticon src=\"mxc://x/y\" alt=\"cat\">", ":cat:")]
#[case::an_emoji_as_such("<img data-mx-emoticon src=\"mxc://x/y\" alt=\"🐈\">", "🐈")]
#[case::an_image_of_nothing("<img src=\"mxc://x/y\">", "[image]")]
#[case::a_user("hi <a href=\"https://matrix.to/#/@alice:x.example\">Alice A</a>!", "hi al!")]
#[case::a_users_uri("hi <a href=\"matrix:u/alice:x.example\">Alice A</a>", "hi al")]
#[case::an_unknown_user("hi <a href=\"https://matrix.to/#/@bob:y.example\">Bob\n B</a>", "hi Bob B")]
#[case::an_unknown_user_without_text(
    "hi <a href=\"https://matrix.to/#/@bob:y.example\"></a>",
    "hi @bob:y.example"
)]
#[case::a_channel(
    "in <a href=\"https://matrix.to/#/%23irc_rust:x.example\">#irc_rust:x.example</a>",
    "in #rust"
)]
#[case::a_channels_room("in <a href=\"https://matrix.to/#/!r:x.example?via=x\">Rust</a>", "in #rust")]
#[case::another_room("in <a href=\"https://matrix.to/#/#a:y.example\">A</a>", "in #a:y.example")]
#[case::another_rooms_id("in <a href=\"https://matrix.to/#/!a:y.example\">A room</a>", "in A room")]
#[case::an_event(
    "<a href=\"https://matrix.to/#/!r:x.example/$e\">message</a>",
    "message (https://matrix.to/#/!r:x.example/$e)"
)]
fn links_are_names_and_addresses(#[case] html: &str, #[case] text: &str) {
    assert_eq!(codes(html), text);
}

#[rstest]
#[case::with_a_colon("{al}: hi", "al: hi")]
#[case::without("{al} hi", "al: hi")]
#[case::with_a_comma("{al}, hi", "al, hi")]
#[case::in_a_paragraph("<p>{al} hi</p>", "al: hi")]
#[case::in_bold("<b>{al}</b> hi", "\x02al:\x0f hi")]
#[case::before_what_does_not_break("{al}&nbsp;hi", "al:\u{a0}hi")]
#[case::two("{al} {bob} hi", "al, Bob: hi")]
#[case::two_with_a_comma("{al}, {bob}: hi", "al, Bob: hi")]
#[case::alone("{al}", "al")]
#[case::before_a_line("{al}<br>hi", "al\nhi")]
#[case::as_the_beginning_of_a_word("{al}'s hat", "al's hat")]
#[case::not_at_the_beginning("so {al} hi", "so al hi")]
#[case::behind_a_reply("<mx-reply>x</mx-reply>{al} hi", "al: hi")]
#[case::in_a_list("<ul><li>{al} hi</ul>", "- al hi")]
fn who_is_mentioned_first_is_addressed(#[case] html: &str, #[case] text: &str) {
    let html = html
        .replace("{al}", "<a href=\"https://matrix.to/#/@alice:x.example\">Alice A</a>")
        .replace("{bob}", "<a href=\"https://matrix.to/#/@bob:x.example\">Bob</a>");
    assert_eq!(codes(&html), text);
    let unaddressed = Options { addresses: false, ..Options::default() };
    assert!(!written(&html, unaddressed).contains("al: hi") || html.contains(": hi"));
}

#[rstest]
#[case::looks(
    "<b>a <i>b</i></b> <u>c</u> <del>d</del> <code>e</code>",
    "a b c d e",
    "**a _b_** __c__ ~~d~~ `e`"
)]
#[case::over_lines("<b>a<br>b</b>", "a\nb", "**a**\n**b**")]
#[case::a_heading("<h2>a</h2>b", "a\nb", "## a\nb")]
#[case::a_colour("<font color=red>a</font>", "a", "a")]
#[case::a_spoiler("<span data-mx-spoiler=\"x\">a</span> b", "[spoiler: x] b", "[spoiler: x] ||a|| b")]
#[case::a_table(
    "<table><tr><th>aa<th>b</tr><tr><td>cccc<td>d</table>",
    "aa   | b\n---- | ---\ncccc | d",
    "**aa   | b**\n---- | ---\ncccc | d"
)]
#[case::a_list("<ul><li><b>a</b></ul>", "- a", "- **a**")]
fn formatting_can_be_left_out_or_typed(#[case] html: &str, #[case] plain: &str, #[case] markdown: &str) {
    let styled = |style| written(html, Options { style, ..Options::default() });
    assert_eq!(styled(IrcStyle::Plain), plain);
    assert_eq!(styled(IrcStyle::Markdown), markdown);
}

#[rstest]
#[case::in_code("<pre>a <span data-mx-spoiler=\"x\">b</span></pre>", "```\na [spoiler: x]\n```")]
#[case::in_what_is_raised("a<sup><span data-mx-spoiler>b</span></sup>", "a^([spoiler])")]
#[case::in_a_name(
    "<a href=\"https://matrix.to/#/@eve:x.example\"><span data-mx-spoiler>Eve</span></a>",
    "[spoiler]"
)]
#[case::in_a_link(
    "<a href=\"https://x.example/b\"><span data-mx-spoiler>https://x.example/b</span></a>",
    "[spoiler]"
)]
fn a_spoiler_is_nowhere_in_the_clear(#[case] html: &str, #[case] read: &str) {
    assert_eq!(written(html, Options { spoilers: Spoilers::LeftOut, ..Options::default() }), read);
    let hiding = codes(html);
    let seen = visible_irc(&hiding);
    assert!(!seen.contains('b') && !seen.contains("Eve"), "{hiding:?}");
}

#[test]
fn a_spoiler_can_be_left_out() {
    let options = Options { spoilers: Spoilers::LeftOut, ..Options::default() };
    assert_eq!(written("a <span data-mx-spoiler=\"x\">b</span> c", options), "a [spoiler: x] c");
}

#[rstest]
#[case::line_ends("a&#13;&#10;QUIT&#x2028;x", "a QUIT\nx")]
#[case::nul_and_controls("a&#0;b&#1;c&#x9b;d\x07e", "abcde")]
#[case::codes("&#2;a&#3;4b\x02c\x034,5d&#15;&#22;", "abcd")]
#[case::codes_in_an_attribute("<img alt=\"&#2;a&#3;4b\">", "ab")]
#[case::codes_in_a_reason("<span data-mx-spoiler=\"&#2;a\">b</span>", "[spoiler: a] \x0301,01b")]
#[case::codes_in_code("<pre><code>&#3;4a\x1b[1m\n</code></pre>", "```\na[1m\n```")]
#[case::codes_in_a_language("<pre><code class=\"language-&#2;a\">b</code></pre>", "```a\nb\n```")]
#[case::codes_in_an_address("<a href=\"https://x.example/&#3;4\">a</a>", "a (https://x.example/)")]
#[case::codes_in_an_id("<a href=\"https://matrix.to/#/%02@a:x\">&#2;a&#13;b</a>", "a b")]
#[case::turned_around("a\u{202e}b&#x202e;c", "abc")]
#[case::without_width("a&#8203;b&shy;c&#xfeff;", "abc")]
fn what_was_said_brings_in_no_codes(#[case] html: &str, #[case] text: &str) {
    assert_eq!(codes(html), text);
}

#[rstest]
#[case::too_deep(&"<b>".repeat(15_000))]
#[case::too_deep_blocks(&"<div>".repeat(12_000))]
#[case::too_large(&"a".repeat(MOST_HTML + 1))]
#[case::unfinished("a <b")]
#[case::nothing("<p></p>")]
#[case::too_much_comes_of_it(&("<ol start=999999999><li>".repeat(8) + &"<br>a".repeat(12_700)))]
fn what_is_not_sane_is_not_read(#[case] html: &str) {
    assert!(read_html(html, Options::default(), &Known).is_none());
}

#[rstest]
#[case::html("body", Some("<b>html</b>"), "\x02html")]
#[case::no_html("body", None, "body")]
#[case::broken_html("bo\x02dy\r\n\u{202e}x", Some("<b"), "body\nx")]
#[case::of_one_by_nick("al hi", None, "al: hi")]
#[case::of_one_by_name("al (IRC): hi", None, "al: hi")]
#[case::of_one_by_id("@alice:x.example hi", None, "al: hi")]
#[case::of_one_elsewhere("hi al", None, "hi al")]
fn a_message_is_read_by_its_html_or_its_body(
    #[case] body: &str,
    #[case] html: Option<&str>,
    #[case] text: &str,
) {
    let mentions = ["@alice:x.example".to_owned()];
    assert_eq!(read_matrix(body, html, &mentions, Options::default(), &Known), text);
    let unaddressed = Options { addresses: false, ..Options::default() };
    assert!(!read_matrix(body, html, &mentions, unaddressed, &Known).contains("al: "));
    let two = ["@alice:x.example".to_owned(), "@bob:x.example".to_owned()];
    assert!(!read_matrix(body, html, &two, Options::default(), &Known).contains("al: "));
}

/// What is large and may be slow or deep.
fn worst_cases() -> Vec<String> {
    let nested = |tag: &str| (format!("<{tag}>"), format!("</{tag}>"));
    let mut cases: Vec<String> = ["b", "p", "li", "table", "td", "blockquote", "a", "x"]
        .iter()
        .flat_map(|tag| {
            let (start, end) = nested(tag);
            [start.repeat(15_000), (start.repeat(98) + &"x".repeat(98) + &end.repeat(98)).repeat(60)]
        })
        .collect();
    cases.extend(
        ["a<br>", "<", "</", "<a ", "<!--", "&", "&#", "<a href='", "<br x=y>", "<td>", "</b>"]
            .map(|part| part.repeat(12_000)),
    );
    cases.push("<table>".to_owned() + &"<tr><td>a<td>b".repeat(4_000));
    cases.push("<table><tr><td>".repeat(33) + &"a ".repeat(30_000));
    cases
        .into_iter()
        .map(|mut case| {
            let end = case.floor_char_boundary(MOST_HTML);
            case.truncate(end);
            case
        })
        .collect()
}

#[test]
fn no_html_overflows_a_workers_stack() {
    // As much as a thread of the runtime has.
    let read = || worst_cases().iter().filter_map(|html| read_html(html, Options::default(), &Known)).count();
    let thread = std::thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(read).unwrap();
    assert!(thread.join().unwrap() > 5);
}

/// Something like HTML, with what IRC must not get.
fn any_html() -> impl Strategy<Value = String> {
    let tags = "</?(b|i|u|code|p|br|ul|ol|li|pre|blockquote|table|tr|td|th|h1|div|details|summary|sup|hr|x)>";
    let attributes = "<(a href=\"(https://matrix.to/#/@alice:x.example|https://x.example/a)\"|span data-mx-spoiler(=\"[a\r\n\x02]{0,3}\")?|font color=\"#[0-9a-f]{6}\"|img alt=\"[a\x03\n]{0,4}\"|ol start=[0-9]{1,12})>";
    let text = "[a-z0-9 ,<>&;\"'=/\r\n\0\x02\x03\x0f\u{9b}\u{202e}\u{200b}\u{2028}é日]{1,12}|&(#[0-9]{1,6}|#x[0-9a-f]{1,5}|amp|lt|nbsp);";
    proptest::collection::vec(prop_oneof![tags, attributes, text], 0..40).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn invariant_3_no_html_makes_a_line_that_irc_does_not_take(html in any_html(), style in 0..3, bytes in 64_usize..400) {
        let style = [IrcStyle::Codes, IrcStyle::Plain, IrcStyle::Markdown][style as usize];
        let text = written(&html, Options { style, ..Options::default() });
        for line in lines_of(&text) {
            for piece in split_line(&line, &Limit::utf_8(bytes)) {
                prop_assert!(piece.len() <= bytes, "{piece:?}");
                let has_code = |c: char| c.is_control() && !"\x02\x1d\x1f\x1e\x11\x03\x0f".contains(c);
                prop_assert!(!piece.contains(has_code), "{piece:?}");
            }
        }
        // Without codes nothing at all is left that is none of the text.
        let plain = written(&html, Options { style: IrcStyle::Plain, ..Options::default() });
        prop_assert!(plain.chars().all(|c| c == '\n' || !c.is_control()), "{plain:?}");
        prop_assert_eq!(neutral(&plain), plain);
    }

    #[test]
    fn there_and_back_the_text_stays(line in "([a-zé日<>&\"' ]{1,8}|[\x02\x1d\x1f\x1e\x11\x0f]|\x03[0-9]{1,2}(,[0-9]{1,2})?){0,12}") {
        let rich = read_irc(&line);
        let Some(html) = rich.to_html() else { return Ok(()) };
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let (back, there) = (strip_irc(&codes(&html)), rich.to_plain());
        if html.contains("data-mx-spoiler") {
            // It comes back with a word before it that says so, which may stand within another.
            let marks = html.matches("data-mx-spoiler").count();
            prop_assert_eq!(back.matches("[spoiler]").count(), marks);
            prop_assert_eq!(words(&back.replace("[spoiler]", " ")).concat(), words(&there).concat());
        } else {
            prop_assert_eq!(words(&back), words(&there));
        }
    }
}
