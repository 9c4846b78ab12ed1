//! The numerics that the session acts on, by name, and readable names for those that people see.
//!
//! Not a complete list: an unknown numeric is shown with its text. No meaning is attached here.
//!
//! Spec: modern IRC docs "Numerics"; RFC 2812 section 5; `IRCv3` SASL 3.1.

macro_rules! numerics {
    ($($name:ident = $code:literal),* $(,)?) => {
        $(
            #[doc = concat!("Numeric ", stringify!($code), ".")]
            pub const $name: u16 = $code;
        )*

        /// All of them, with their names.
        #[cfg(test)]
        pub(super) const ALL: &[(&str, u16)] = &[$((stringify!($name), $code)),*];

        /// The numeric's name in the specifications, `ERR_NICKNAMEINUSE` for 433.
        #[must_use]
        pub fn name(code: u16) -> Option<&'static str> {
            match code {
                $($code => Some(stringify!($name)),)*
                _ => None,
            }
        }
    };
}

numerics! {
    RPL_WELCOME = 1,
    RPL_YOURHOST = 2,
    RPL_CREATED = 3,
    RPL_MYINFO = 4,
    RPL_ISUPPORT = 5,
    RPL_UMODEIS = 221,
    RPL_TRYAGAIN = 263,
    RPL_AWAY = 301,
    RPL_ISON = 303,
    RPL_UNAWAY = 305,
    RPL_NOWAWAY = 306,
    RPL_WHOISREGNICK = 307,
    RPL_WHOISHELPOP = 310,
    RPL_WHOISUSER = 311,
    RPL_WHOISSERVER = 312,
    RPL_WHOISOPERATOR = 313,
    RPL_WHOWASUSER = 314,
    RPL_ENDOFWHO = 315,
    RPL_WHOISIDLE = 317,
    RPL_ENDOFWHOIS = 318,
    RPL_WHOISCHANNELS = 319,
    RPL_LISTSTART = 321,
    RPL_LIST = 322,
    RPL_LISTEND = 323,
    RPL_CHANNELMODEIS = 324,
    RPL_CREATIONTIME = 329,
    RPL_WHOISACCOUNT = 330,
    RPL_WHOISBOT = 335,
    RPL_NOTOPIC = 331,
    RPL_TOPIC = 332,
    RPL_TOPICWHOTIME = 333,
    RPL_WHOISACTUALLY = 338,
    RPL_INVITING = 341,
    RPL_INVITELIST = 346,
    RPL_EXCEPTLIST = 348,
    RPL_WHOREPLY = 352,
    RPL_NAMREPLY = 353,
    RPL_WHOSPCRPL = 354,
    RPL_ENDOFNAMES = 366,
    RPL_BANLIST = 367,
    RPL_ENDOFBANLIST = 368,
    RPL_ENDOFWHOWAS = 369,
    RPL_MOTD = 372,
    RPL_MOTDSTART = 375,
    RPL_ENDOFMOTD = 376,
    RPL_HOSTHIDDEN = 396,
    ERR_NOSUCHNICK = 401,
    ERR_NOSUCHSERVER = 402,
    ERR_NOSUCHCHANNEL = 403,
    ERR_CANNOTSENDTOCHAN = 404,
    ERR_TOOMANYCHANNELS = 405,
    ERR_WASNOSUCHNICK = 406,
    ERR_TOOMANYTARGETS = 407,
    ERR_NOCOLORSONCHAN = 408,
    ERR_NORECIPIENT = 411,
    ERR_NOTEXTTOSEND = 412,
    ERR_NOTOPLEVEL = 413,
    ERR_WILDTOPLEVEL = 414,
    ERR_BADMASK = 415,
    ERR_INPUTTOOLONG = 417,
    ERR_UNKNOWNCOMMAND = 421,
    ERR_NOMOTD = 422,
    ERR_NONICKNAMEGIVEN = 431,
    ERR_ERRONEUSNICKNAME = 432,
    ERR_NICKNAMEINUSE = 433,
    ERR_BANNICKCHANGE = 435,
    ERR_NICKCOLLISION = 436,
    ERR_UNAVAILRESOURCE = 437,
    ERR_NICKTOOFAST = 438,
    ERR_TARGETTOOFAST = 439,
    ERR_SERVICESDOWN = 440,
    ERR_USERNOTINCHANNEL = 441,
    ERR_NOTONCHANNEL = 442,
    ERR_USERONCHANNEL = 443,
    ERR_NONICKCHANGE = 447,
    ERR_NOTREGISTERED = 451,
    ERR_NEEDMOREPARAMS = 461,
    ERR_ALREADYREGISTERED = 462,
    ERR_NOPERMFORHOST = 463,
    ERR_PASSWDMISMATCH = 464,
    ERR_YOUREBANNEDCREEP = 465,
    ERR_YOUWILLBEBANNED = 466,
    ERR_KEYSET = 467,
    ERR_INVALIDUSERNAME = 468,
    ERR_LINKCHANNEL = 470,
    ERR_CHANNELISFULL = 471,
    ERR_UNKNOWNMODE = 472,
    ERR_INVITEONLYCHAN = 473,
    ERR_BANNEDFROMCHAN = 474,
    ERR_BADCHANNELKEY = 475,
    ERR_BADCHANMASK = 476,
    ERR_NEEDREGGEDNICK = 477,
    ERR_BANLISTFULL = 478,
    ERR_BADCHANNAME = 479,
    ERR_THROTTLE = 480,
    ERR_NOPRIVILEGES = 481,
    ERR_CHANOPRIVSNEEDED = 482,
    ERR_RESTRICTED = 484,
    ERR_UNIQOPPRIVSNEEDED = 485,
    ERR_NONONREG = 486,
    ERR_MSGSERVICES = 487,
    ERR_SECUREONLYCHAN = 489,
    ERR_NOCTCPSALLOWED = 492,
    ERR_DELAYREJOIN = 495,
    ERR_CANNOTSENDTOUSER = 499,
    ERR_TOOMANYWATCH = 512,
    ERR_BADPING = 513,
    ERR_OPERONLY = 520,
    ERR_CANTSENDTOUSER = 531,
    RPL_LOGON = 600,
    RPL_LOGOFF = 601,
    RPL_WATCHOFF = 602,
    RPL_NOWON = 604,
    RPL_NOWOFF = 605,
    RPL_WHOISSECURE = 671,
    ERR_INVALIDMODEPARAM = 696,
    ERR_TARGCHANGE = 707,
    RPL_KNOCKDLVR = 711,
    ERR_TOOMANYKNOCK = 712,
    ERR_CHANOPEN = 713,
    ERR_KNOCKONCHAN = 714,
    ERR_KNOCKDISABLED = 715,
    ERR_TARGUMODEG = 716,
    RPL_TARGNOTIFY = 717,
    RPL_QUIETLIST = 728,
    RPL_MONONLINE = 730,
    RPL_MONOFFLINE = 731,
    ERR_MONLISTFULL = 734,
    RPL_LOGGEDIN = 900,
    RPL_LOGGEDOUT = 901,
    ERR_NICKLOCKED = 902,
    RPL_SASLSUCCESS = 903,
    ERR_SASLFAIL = 904,
    ERR_SASLTOOLONG = 905,
    ERR_SASLABORTED = 906,
    ERR_SASLALREADY = 907,
    RPL_SASLMECHS = 908,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The crate `irc` names the same numbers; where it differs, it follows RFC 2812 and we follow the networks.
    #[test]
    fn the_numbers_are_those_of_the_irc_crate() {
        use irc::proto::Response;
        for (ours, theirs) in [
            (RPL_WELCOME, Response::RPL_WELCOME),
            (RPL_ISUPPORT, Response::RPL_ISUPPORT),
            (RPL_CHANNELMODEIS, Response::RPL_CHANNELMODEIS),
            (RPL_NOTOPIC, Response::RPL_NOTOPIC),
            (RPL_TOPIC, Response::RPL_TOPIC),
            (RPL_NAMREPLY, Response::RPL_NAMREPLY),
            (RPL_ENDOFNAMES, Response::RPL_ENDOFNAMES),
            (RPL_ENDOFMOTD, Response::RPL_ENDOFMOTD),
            (ERR_NOSUCHNICK, Response::ERR_NOSUCHNICK),
            (ERR_CANNOTSENDTOCHAN, Response::ERR_CANNOTSENDTOCHAN),
            (ERR_NOMOTD, Response::ERR_NOMOTD),
            (ERR_ERRONEUSNICKNAME, Response::ERR_ERRONEOUSNICKNAME),
            (ERR_NICKNAMEINUSE, Response::ERR_NICKNAMEINUSE),
            (ERR_UNAVAILRESOURCE, Response::ERR_UNAVAILRESOURCE),
            (ERR_PASSWDMISMATCH, Response::ERR_PASSWDMISMATCH),
            (ERR_YOUREBANNEDCREEP, Response::ERR_YOUREBANNEDCREEP),
            (ERR_BANNEDFROMCHAN, Response::ERR_BANNEDFROMCHAN),
            (RPL_SASLSUCCESS, Response::RPL_SASLSUCCESS),
            (ERR_SASLFAIL, Response::ERR_SASLFAIL),
        ] {
            assert_eq!(ours, theirs as u16);
        }
    }

    #[test]
    fn a_numeric_is_named_where_it_is_known() {
        assert_eq!(name(433), Some("ERR_NICKNAMEINUSE"));
        assert_eq!(name(998), None);
    }
}
