//! A server's ISUPPORT on the first line, MODE parameters on the second: letters and their arguments.
#![no_main]

use libfuzzer_sys::fuzz_target;
use towline::irc::isupport::Isupport;
use towline::irc::modes::ModeChanges;

fuzz_target!(|text: &str| {
    let (tokens, params) = text.split_once('\n').unwrap_or((text, ""));
    let mut isupport = Isupport::default();
    isupport.apply(tokens.split(' '));
    let params: Vec<String> = params.split(' ').map(str::to_owned).collect();
    let _ = ModeChanges::parse(&params, &isupport);
    let _ = (isupport.split_status(&params[0]), isupport.is_channel(&params[0]), isupport.line_length());
    let mapping = isupport.casemapping();
    for param in &params {
        assert!(mapping.same(param, &mapping.fold(param)), "folding is not stable");
        assert_eq!(mapping.fold(&mapping.fold(param)), mapping.fold(param));
    }
});
