//! The table of commands.

mod command;

use super::{
    account, admin, autocmd, bot, channel, conversation, help, history, limits, look, members, mute, network,
    networks, on_join, people, plumb, profile, questions, relay, rooms, settings, talk,
};
use crate::config::Permission;

use self::command::ANYWHERE;
pub(super) use self::command::{Command, Spot};

/// What a command says about where it may be typed, if it does.
const fn first(said: &[&'static [Spot]]) -> &'static [Spot] {
    match said {
        [at, ..] => at,
        [] => ANYWHERE,
    }
}

/// Who may use a command that says so; without a word, every user may.
const fn least(said: &[Permission]) -> Permission {
    match said {
        [permission, ..] => *permission,
        [] => Permission::User,
    }
}

macro_rules! commands {
    ($($name:literal $(/ $alias:literal)* in $section:literal: $usage:literal, $summary:literal, $details:literal
        $(, eg [$($example:literal),+])? $(, at [$($spot:ident),+])? $(, secret $secret:literal)?
        $(, for $permission:ident)? => $run:path;)*) => {
        /// All commands, in the order in which help shows them.
        pub(super) const COMMANDS: &[Command] = &[$(Command {
            name: $name,
            aliases: &[$($alias),*],
            section: $section,
            usage: $usage,
            summary: $summary,
            details: $details,
            examples: &[$($($example),+)?],
            at: first(&[$(&[$(Spot::$spot),+])?]),
            permission: least(&[$(Permission::$permission)?]),
            secret: false $(|| $secret)?,
            run: |context| Box::pin($run(context)),
        }),*];
    };
}

commands! {
    "help" / "?" in "Help": "help [COMMAND]", "shows the commands, or one of them in full",
        "",
        eg ["help", "help join"]
        => help::help;
    "yes" / "y" / "confirm" in "Help": "yes", "does what I have just asked about",
        "Also what I ask you to react to, where that is the only question in the room.",
        eg ["yes"]
        => questions::yes;
    "cancel" / "no" in "Help": "cancel", "drops what I have asked about in this room",
        "Also what I ask you to react to, about messages that did not go or about anything else.",
        eg ["cancel"]
        => questions::cancel;
    "version" in "Help": "version", "tells which Towline this is",
        "",
        eg ["version"]
        => help::version;
    "networks" / "list-networks" in "Networks": "networks", "shows the networks that you can open",
        "",
        eg ["networks"], at [Control, Network]
        => networks::networks;
    "network" / "servers" in "Networks":
        "network [NETWORK | add [NAME] SERVER[:PORT] [OPTION…] | remove NETWORK | server add|remove NETWORK SERVER[:PORT]]",
        "adds and removes networks, or shows where each comes from and its servers",
        "A network of your own, where the administrator allows it, is seen by nobody else; its short name is u, a number \
         and a name. An administrator adds networks for all, with their short name before the server, and built-in ones \
         by their name alone. They are there at once and stay. Options: notls, noverify (any certificate will do, and no \
         password is sent), fingerprint=HEX, and for administrators private (a private address is meant). What the \
         configuration says can only be changed there.",
        eg [
            "network",
            "network libera",
            "network add irc.example.org",
            "network server add example irc2.example.org:6697"
        ],
        at [Control, Network]
        => network::network;
    "open" in "Networks": "open NETWORK [as NAME]", "connects you to a network and makes a room for it",
        "The connection stays open when you close Element, and comes back after a restart. With a name you are there once \
         more, under another nick and with rooms and settings of their own. Wherever a command takes a network, \
         NETWORK/NAME, or NETWORK as NAME, is then that session, and NETWORK alone the one without a name.",
        eg ["open libera", "open libera as work"], at [Control, Network]
        => networks::open;
    "status" in "Networks": "status", "shows where you are connected, and how it goes",
        "",
        eg ["status"]
        => networks::status;
    "connect" in "Networks": "connect [NETWORK]", "connects again after disconnect, or now rather than later",
        "",
        eg ["connect"]
        => networks::connect;
    "reconnect" in "Networks": "reconnect [NETWORK]", "leaves a network and connects to it anew",
        "What holds from the next connection on holds then.",
        eg ["reconnect libera"]
        => networks::reconnect;
    "disconnect" / "quit" in "Networks": "disconnect [NETWORK] [REASON]", "leaves a network until you type connect",
        "Its rooms stay as they are.",
        eg ["disconnect libera", "disconnect See you tomorrow"]
        => networks::disconnect;
    "close" in "Networks": "close [NETWORK]", "leaves a network and its rooms until you open it again",
        "It asks first. What was said and set there is kept, and forget deletes it.",
        eg ["close libera"], at [Control, Network]
        => networks::close;
    "space" in "Networks": "space [NETWORK] [on | off]", "puts the rooms of a network into a space",
        "Clients show a space as one group of rooms: the network's own, then the channels, then the people. With off the \
         rooms stand by themselves again.",
        eg ["space", "space off"]
        => rooms::space;
    "join" / "j" in "Channels and people": "join [NETWORK] #CHANNEL [KEY]", "enters a channel and makes a room for it",
        "The # may be left out. You stay in the channel over restarts, until you type part or leave its room. A message \
         with a key is removed from the room. Several at once have commas between them, and so have their keys; a further word that begins with # or & is a channel, \
         too, and no key. With the alias of a channel's shared room in place of its name you are invited \
         to that.",
        eg ["join #tea", "join #tea,#cake", "join #secret its-key"], secret true
        => conversation::join;
    "part" / "leave" in "Channels and people": "part [NETWORK] [#CHANNEL] [REASON]", "leaves a channel",
        "",
        eg ["part #tea", "!irc part See you tomorrow"]
        => conversation::part;
    "channels" in "Channels and people": "channels [NETWORK]", "shows your channels, and why you are not in some of them",
        "With each that you are kept out of stands what the server says, and when I try again.",
        eg ["channels"]
        => conversation::channels;
    "sync" in "Channels and people": "sync [NETWORK] [#CHANNEL]", "makes the members of a channel's room those of the channel",
        "Who is missing comes in, and who is there and not in the channel goes. It is done by itself; this is for when \
         the room shows it wrong. In the channel's own room its name may be left out. Who is to be there at all is a \
         setting: set members.",
        eg ["sync #tea", "!irc sync"]
        => members::sync;
    "charset" / "encoding" in "Channels and people": "charset [NETWORK] [#CHANNEL | NICK] [CHARSET [read] | off]",
        "sets the charset that is spoken in a place besides UTF-8, or shows it",
        "Where people write no UTF-8, as on some older networks: in the channel's room, or in the network's with its name; \
         without a name it is for the whole network, and for its nicks and channel names. You write in it, too, and what \
         it lacks becomes ?; with read behind it, you go on writing UTF-8. UTF-8 is always understood.",
        eg ["charset #tea koi8-r", "!irc charset off"]
        => conversation::charset;
    "query" in "Channels and people": "query [NETWORK] NICK [TEXT]", "makes a room for a conversation with somebody",
        "",
        eg ["query bob", "query bob hello there"], secret true => conversation::query;
    "msg" in "Channels and people": "msg [NETWORK] NICK TEXT", "says something to somebody without making a room",
        "For services, too: msg NickServ help. The answer comes in the network's room. A password in it is removed \
         from the room.",
        eg ["msg bob hello there", "msg NickServ help"], secret true => conversation::message;
    "whois" / "w" in "Channels and people": "whois [NETWORK] [NICK]", "tells who somebody is",
        "In the room of a conversation the nick may be left out; elsewhere it is you then.",
        eg ["whois bob"]
        => conversation::whois;
    "stop" in "Channels and people": "stop [NETWORK] [#CHANNEL | NICK]", "drops what you said there and has not left yet",
        "IRC takes lines slowly: of a long paste, what still waits can be stopped. In a conversation's own room its name \
         may be left out.",
        eg ["stop #tea", "!irc stop"]
        => conversation::stop;
    "names" / "members" in "In a channel": "names [NETWORK] [#CHANNEL]",
        "shows who is in a channel, by rank",
        "Here and in what follows: in a channel's own room its name may be left out.",
        eg ["names #tea", "!irc names"] => channel::names;
    "topic" / "t" in "In a channel": "topic [NETWORK] [#CHANNEL] [TEXT | clear]",
        "shows what a channel is about, or sets it",
        "Shown are also who set it and when.",
        eg ["!irc topic", "topic #tea All about tea"] => channel::topic;
    "mode" / "modes" in "In a channel": "mode [NETWORK] [#CHANNEL] [MODES]",
        "shows a channel's modes in words, or changes them",
        "As IRC writes them. A message with a key in it is removed from the room.",
        eg ["!irc mode", "mode #tea +m-i", "mode #tea +l 50"], secret true => channel::mode;
    "op" in "In a channel": "op [NETWORK] [#CHANNEL] NICK…",
        "makes people operators",
        "Several at once, with spaces between them.",
        eg ["op #tea bob", "!irc op bob carol"] => channel::op;
    "deop" in "In a channel": "deop [NETWORK] [#CHANNEL] NICK…",
        "takes that from them",
        "",
        eg ["!irc deop bob"] => channel::deop;
    "halfop" in "In a channel": "halfop [NETWORK] [#CHANNEL] NICK…",
        "makes people half-operators, where the network has them",
        "",
        eg ["!irc halfop bob"] => channel::halfop;
    "dehalfop" in "In a channel": "dehalfop [NETWORK] [#CHANNEL] NICK…",
        "takes that from them",
        "",
        eg ["!irc dehalfop bob"] => channel::dehalfop;
    "voice" in "In a channel": "voice [NETWORK] [#CHANNEL] NICK…",
        "gives people voice: they speak in a moderated channel",
        "",
        eg ["!irc voice bob"] => channel::voice;
    "devoice" in "In a channel": "devoice [NETWORK] [#CHANNEL] NICK…",
        "takes that from them",
        "",
        eg ["!irc devoice bob"] => channel::devoice;
    "invite" in "In a channel": "invite [NETWORK] [#CHANNEL] NICK…",
        "invites people on IRC into a channel",
        "",
        eg ["invite #tea carol"] => channel::invite;
    "kick" / "k" in "In a channel": "kick [NETWORK] [#CHANNEL] NICK[,NICK…] [REASON]",
        "puts people out of a channel",
        "They may come back at once; see kickban.",
        eg ["!irc kick bob please mind your tone"] => channel::kick;
    "ban" in "In a channel": "ban [NETWORK] [#CHANNEL] NICK|MASK… [account] [TIME [REASON]]",
        "keeps people out of a channel",
        "Of a nick the host is banned, as in *!*@host, whatever they call themselves there; also of somebody who \
         has just left. With account behind it, it is the account that they are logged in to, where the network can \
         do that. A mask is completed: evil.example.org is *!*@evil.example.org. With a time behind it, as 30m, 2h or 7d, I \
         take the ban back when that is over, also after a restart; where you are no operator then, as soon as you are. \
         The reason is for you: bans shows it.",
        eg ["!irc ban spammer", "ban #tea evil.example.org", "!irc ban bob account", "!irc ban bob 2h too loud"] => channel::ban;
    "unban" in "In a channel": "unban [NETWORK] [#CHANNEL] NICK|MASK…",
        "takes back the bans that keep somebody out",
        "Of a nick all bans that are about them, however they were written.",
        eg ["!irc unban bob"] => channel::unban;
    "kickban" / "kb" in "In a channel": "kickban [NETWORK] [#CHANNEL] NICK[,NICK…] [TIME] [REASON]",
        "bans people and puts them out",
        "With a time, as 30m, 2h or 7d, for so long.",
        eg ["!irc kickban bob no advertising", "!irc kickban bob 1d no advertising"] => channel::kickban;
    "quiet" in "In a channel": "quiet [NETWORK] [#CHANNEL] NICK|MASK… [account] [TIME [REASON]]",
        "lets people stay in a channel, but not speak",
        "As the network has it: a list of its own, or a kind of ban. With a time, as 30m, 2h or 7d, for so long.",
        eg ["!irc quiet bob", "!irc quiet bob 30m"] => channel::quiet;
    "unquiet" in "In a channel": "unquiet [NETWORK] [#CHANNEL] NICK|MASK…",
        "lets them speak again",
        "",
        eg ["!irc unquiet bob"] => channel::unquiet;
    "bans" / "banlist" in "In a channel": "bans [NETWORK] [#CHANNEL]",
        "shows who is banned, by whom and since when",
        "Also in how long a ban ends that was set for a time.",
        eg ["!irc bans"] => channel::bans;
    "quiets" in "In a channel": "quiets [NETWORK] [#CHANNEL]",
        "shows who may not speak",
        "",
        eg ["!irc quiets"] => channel::quiets;
    "excepts" in "In a channel": "excepts [NETWORK] [#CHANNEL]",
        "shows whom no ban keeps out",
        "",
        eg ["!irc excepts"] => channel::excepts;
    "invites" in "In a channel": "invites [NETWORK] [#CHANNEL]",
        "shows who needs no invitation",
        "",
        eg ["!irc invites"] => channel::invites;
    "plumb" in "In a channel": "plumb [NETWORK] [!ROOM:SERVER | #ALIAS:SERVER #CHANNEL]",
        "has a Matrix room that exists already show a channel, or lists those that do",
        "Administrators of the bridge do that, and others where the configuration lets them. Those need the power to change the room's \
         name, and invite me to it when I ask for that. They also need to be operators of the channel, or in it: then I ask \
         operators in their name, who have five minutes to agree. An administrator needs neither. The room stays as it is; who \
         writes in it and is connected to the network is in the channel then.",
        eg ["plumb !AbCdEf:example.org #tea", "plumb"], at [Control, Network]
        => plumb::plumb;
    "unplumb" / "unlink" in "In a channel": "unplumb [NETWORK] #CHANNEL | !ROOM:SERVER | #ALIAS:SERVER",
        "ends that a room shows a channel because of plumb",
        "Those can who may change the room's name, operators of the channel, and administrators of the bridge. I leave the \
         room, and so do the people of IRC.",
        eg ["unplumb #tea"], at [Control, Network]
        => plumb::unplumb;
    "cycle" / "hop" in "In a channel": "cycle [NETWORK] [#CHANNEL] [REASON]",
        "leaves a channel and enters it again",
        "",
        eg ["!irc cycle"] => channel::cycle;
    "mute" in "In a channel": "mute [NETWORK] [#CHANNEL]",
        "keeps a channel's room from ringing, whoever is named there",
        "Where your administrator has set up double puppeting; elsewhere I say where you do it yourself. It is the setting \
         notify of that channel.",
        eg ["mute #tea", "!irc mute"], at [Control, Network, Channel] => mute::mute;
    "unmute" in "In a channel": "unmute [NETWORK] [#CHANNEL]",
        "lets it ring again as your other channels do",
        "",
        eg ["!irc unmute"], at [Control, Network, Channel] => mute::unmute;
    "detach" in "In a channel": "detach [NETWORK] [#CHANNEL]",
        "lets you stay in a channel without its room",
        "The room goes from your list, and what is said goes to the history. It comes back with the last lines when \
         somebody names you there, or when you type attach in the network's room.",
        eg ["detach #tea", "!irc detach"] => channel::detach;
    "attach" in "In a channel": "attach [NETWORK] #CHANNEL",
        "brings the room of a detached channel back",
        "With what was said meanwhile.",
        eg ["attach #tea"] => channel::attach;
    "key" in "In a channel": "key [NETWORK] [#CHANNEL] [KEY | off]",
        "sets the key to enter a channel with, or forgets it",
        "A key that is set while you are in the channel is learnt by itself. It is stored encrypted and never \
         shown, and your message is removed from the room.",
        eg ["key #tea its-key", "!irc key off"], secret true => channel::key;
    "onjoin" in "In a channel": "onjoin [NETWORK] [#CHANNEL] [COMMAND | off]",
        "sets what is done whenever you enter a channel, or shows it",
        "Each adds a command, up to five, which are carried out in their order as if you had typed them in the channel's \
         room; only what does not work is told. They are stored encrypted.",
        eg ["!irc onjoin msg ChanServ OP #tea", "onjoin #tea off"], secret true => on_join::on_join;
    "knock" in "In a channel": "knock [NETWORK] #CHANNEL [TEXT]",
        "asks the people in a channel to let you in",
        "Where it is for invited people only, and the network has knocking.",
        eg ["knock #closed may I come in?"] => channel::knock;
    "list" in "On a network": "list [NETWORK] [WORDS | MASK] [page N | more]", "shows the network's channels",
        "Those with the most people first, twenty on a page. Words are looked for in names and topics; a mask with * or ? \
         fits names. Where there are shared rooms, each name leads to its channel's.",
        eg ["list", "list *tea*"]
        => look::list;
    "rejoin" in "On a network": "rejoin [NETWORK]", "tries again to enter all channels that keep you out",
        "",
        eg ["rejoin"]
        => look::rejoin;
    "who" in "On a network": "who [NETWORK] [#CHANNEL | NICK | MASK]", "shows who is in a channel, or whom a mask fits",
        "With accounts, where the network tells them. In a channel's room its name may be left out.",
        eg ["who #tea", "!irc who"]
        => look::who;
    "whowas" in "On a network": "whowas [NETWORK] [NICK]", "tells who had a nick lately",
        "In the room of a conversation the nick may be left out.",
        eg ["whowas bob"]
        => look::whowas;
    "notice" in "On a network": "notice [NETWORK] NICK | #CHANNEL TEXT", "says something as a notice",
        "Programs don't answer notices.",
        eg ["notice bob the build is done"], secret true => talk::notice;
    "ctcp" in "On a network": "ctcp [NETWORK] NICK REQUEST [WORDS]", "asks somebody's program something",
        "VERSION, TIME, CLIENTINFO, or PING for how long it takes. Not every program answers.",
        eg ["ctcp bob version"]
        => talk::ctcp;
    "ping" in "On a network": "ping [NETWORK] [NICK]", "tells how long somebody's program takes to answer",
        "As ctcp NICK PING does. In the room of a conversation the nick may be left out.",
        eg ["ping bob"]
        => talk::ping;
    "motd" in "On a network": "motd [NETWORK]", "shows the server's message of the day",
        "",
        eg ["motd"]
        => look::motd;
    "nickserv" / "ns" in "On a network": "nickserv [NETWORK] TEXT", "says something to NickServ",
        "By the server's own command for it, where it has one, so that nobody else can take it. The answer comes in the \
         network's room. A password in it is removed from the room.",
        eg ["nickserv info alice", "ns help"], secret true => talk::nickserv;
    "chanserv" / "cs" in "On a network": "chanserv [NETWORK] TEXT", "says something to ChanServ",
        "As nickserv does.",
        eg ["chanserv info #tea"], secret true => talk::chanserv;
    "monitor" in "On a network": "monitor [NETWORK] [+NICK | -NICK …]", "tells when somebody comes and goes",
        "In the network's room.",
        eg ["monitor +bob +carol", "monitor"]
        => look::monitor;
    "ignore" in "On a network": "ignore [NETWORK] [NICK | MASK | account:NAME]", "stops showing what somebody says",
        "A mask has * and ? in it: *!*@*.example.org. It is not kept either, and nothing of it notifies you; that they come, \
         go or set a topic is still shown. A room that you share with others shows it all the same.",
        eg ["ignore spammer", "ignore *!*@*.example.org", "ignore account:spammer"]
        => people::ignore;
    "unignore" in "On a network": "unignore [NETWORK] NICK | MASK | account:NAME", "shows what somebody says again",
        "What they said meanwhile is not kept.",
        eg ["unignore spammer"]
        => people::unignore;
    "ignores" in "On a network": "ignores [NETWORK]", "shows whom you ignore",
        "",
        eg ["ignores"]
        => people::ignores;
    "search" / "find" in "History": "search [in WHERE] [from NICK] [since WHEN] WORDS",
        "finds lines that hold all the words, newest first",
        "Where: a channel, a nick or a network of yours, or * for everything; without it, where you type. When: 3d, 12h, \
         2w, or a day as 2026-11-01. Case and accents don't matter. The last word may end in *: then it is enough \
         that a word begins so. To search for in, from or since, write -- before the words.",
        eg ["search kettle", "search in #tea from bob since 3d kettle"]
        => history::search;
    "history" / "backlog" in "History": "history [NETWORK] [#CHANNEL | NICK] [LINES]", "shows the last lines",
        "20 of them, or as many as you say, up to 200. In a conversation's own room its name may be left out. How long \
         lines are kept is shown and set with history keep #channel, and behind it 30d, forever or off; off deletes \
         those that there are.",
        eg ["history #tea 50", "!irc history", "history keep #tea 30d"]
        => history::history;
    "forget" in "History": "forget #CHANNEL | NICK | NETWORK | everything",
        "deletes what is kept of a conversation, of a network, or of all",
        "It asks first, and tells what was deleted. Of a network that you have closed, what you have set there goes, too. \
         What stands in the rooms is the homeserver's and stays there.",
        eg ["forget #tea", "forget everything"]
        => history::forget;
    "nick" in "You": "nick [NETWORK] [NICK]", "takes another nick on a network, or shows yours",
        "",
        eg ["nick", "nick alice_"]
        => account::nick;
    "nicks" in "You": "nicks [NETWORK] [NICK... | off]", "sets the nicks to take while yours is in use, or shows them",
        "The first that is free is taken. I go back to your own nick when it is free again.",
        eg ["nicks alice_ alice2"]
        => account::nicks;
    "sasl" in "You": "sasl [NETWORK] [ACCOUNT [PASSWORD] | off]", "logs you in with the network's services",
        "Your message is removed from the room, and the password is stored encrypted. It is used from the next \
         connection on. With a certificate (certfp) the password may be left out. Of what the server offers the best is \
         taken: EXTERNAL, where there is a certificate, before SCRAM-SHA-512, SCRAM-SHA-256 and PLAIN.",
        eg ["sasl alice correct-horse", "sasl off"], secret true => account::sasl;
    "login" in "You": "login [NETWORK] [required | optional | sasl | nickserv [NickServ@HOST]]",
        "shows how you log in, or changes it",
        "With required, as it is unless you say otherwise, there is no connection without a login, so that nobody sees \
         your host. With nickserv the password goes to NickServ after connecting; without its full address only where \
         the server shows it as a service of the network. That is also what happens where a network has no SASL.",
        eg ["login", "login optional"]
        => account::login;
    "away" in "You": "away [NETWORK] [WHY | off]", "says that you are away, or back",
        "It holds over reconnections, until away off.",
        eg ["away out for lunch", "away off"]
        => profile::away;
    "back" in "You": "back [NETWORK]", "says that you are back",
        "As away off does.",
        eg ["back"]
        => profile::back;
    "whoami" in "You": "whoami [NETWORK]", "tells how others on a network see you",
        "",
        eg ["whoami"]
        => conversation::whoami;
    "umode" in "You": "umode [NETWORK] [MODES]", "shows or sets the network's modes for you",
        "",
        eg ["umode", "umode +R"]
        => profile::umode;
    "username" in "You": "username [NETWORK] [NAME | off]", "sets the user name that you connect with, or shows it",
        "Others see it in your address, before the @. Nobody else's on this bridge can be taken.",
        eg ["username wonderland", "username off"]
        => profile::username;
    "realname" in "You": "realname [NETWORK] [NAME | off]", "sets the real name that others can look up, or shows it",
        "At once, where the network can, else from the next connection on.",
        eg ["realname Alice Doe"]
        => profile::realname;
    "password" in "You": "password [NETWORK] [PASSWORD | off]", "sets the password that the server itself wants",
        "Few do; for your account there is sasl. Your message is removed from the room, and the password is stored \
         encrypted.",
        eg ["password correct-horse", "password off"], secret true => profile::password;
    "autocmd" in "You": "autocmd [NETWORK] [add COMMAND | remove NUMBER | off]",
        "shows or sets what is done by itself on each connection",
        "Before channels are entered, in their order: raw, msg, notice, nickserv, chanserv, umode, wait SECONDS, and when \
         logged in, behind which everything waits for that. It is stored encrypted, and a password in it is not shown. What \
         is done when a channel is entered is set with onjoin.",
        eg ["autocmd add umode +R", "autocmd"], secret true => autocmd::autocmd;
    "highlight" in "You": "highlight [NETWORK] [WORD …]", "lets words besides your nick notify you, or shows them",
        "In the control room they hold on all networks, unless you name one.",
        eg ["highlight towline rust"]
        => people::highlight;
    "unhighlight" in "You": "unhighlight [NETWORK] WORD …", "takes such words back",
        "",
        eg ["unhighlight rust"]
        => people::unhighlight;
    "certfp" / "cert" in "You": "certfp [NETWORK] [generate | set PEM | show | remove]",
        "makes or shows the certificate by which services know you",
        "It is stored encrypted and shown to this network only. With set, paste the certificate and its key behind the \
         word; your message is removed from the room.",
        eg ["certfp generate", "certfp show"], secret true => account::certfp;
    "capabilities" / "caps" in "You": "capabilities [NETWORK] [+NAME | -NAME … | reset]",
        "shows what your connection can do beyond plain IRC, and changes what is asked for",
        "+ asks a network for something that is not asked for by itself, - does without something that is. It holds at \
         once and from then on, until reset.",
        eg ["capabilities", "capabilities -echo-message +draft/something"]
        => account::capabilities;
    "set" / "settings" in "You": "set [NETWORK] [#CHANNEL | NICK] [NAME [VALUE]]",
        "shows your settings, or changes one",
        "In the control room a setting is for all your networks, unless you name one; in a network's room it is for that \
         network, in a conversation's for that conversation. The narrowest decides.",
        eg ["set", "set presence hide", "!irc set presence"]
        => settings::set;
    "unset" in "You": "unset [NETWORK] [#CHANNEL | NICK] NAME", "takes a setting back there",
        "What holds for the network, or for you, holds again.",
        eg ["unset presence"]
        => settings::unset;
    "raw" / "quote" in "You": "raw [NETWORK] LINE", "sends a line to the server as it stands",
        "",
        eg ["raw WHOIS bob", "raw TIME"], secret true => conversation::raw;
    "permissions" / "masks" in "Administration": "permissions", "shows who may use this bridge",
        "",
        eg ["permissions"], for Admin
        => admin::permissions;
    "permit" / "addmask" in "Administration": "permit WHO user|admin|none", "says who may use this bridge",
        "Who: a full id as @carol:example.org, a server's name as example.org, or * for everybody. It holds at once; who may \
         not use the bridge any more is disconnected. What the configuration says can't be changed here.",
        eg ["permit @carol:example.org user", "permit example.org none"], for Admin
        => admin::permit;
    "unpermit" / "delmask" in "Administration": "unpermit WHO", "takes back what permit has said",
        "",
        eg ["unpermit example.org"], for Admin
        => admin::unpermit;
    "users" in "Administration": "users", "shows who uses this bridge",
        "",
        eg ["users"], for Admin
        => admin::users;
    "sessions" in "Administration": "sessions [USER]", "shows how the connections of all stand, or somebody's",
        "Not where they are or what is said there.",
        eg ["sessions", "sessions @carol:example.org"], for Admin
        => admin::sessions;
    "session" in "Administration": "session USER NETWORK connect|disconnect [REASON]",
        "connects somebody to a network, or disconnects them",
        "They can undo it.",
        eg ["session @carol:example.org libera disconnect maintenance"], for Admin
        => admin::session;
    "erase" in "Administration": "erase USER", "deletes all that is kept about somebody",
        "It asks first. They are disconnected, and taken out of the rooms that I made for them; their networks, settings \
         and history are gone for good. What was said in rooms is the homeserver's.",
        eg ["erase @carol:example.org"], for Admin
        => admin::erase;
    "ident" in "Administration": "ident [USER [NAME | off]]", "sets the user name that somebody has on IRC, or shows it",
        "What servers show before the @ in an address, and what the ident service answers. It holds from the next \
         connection on, and they can't choose another.",
        eg ["ident @carol:example.org carol2", "ident"], for Admin
        => admin::ident;
    "relay" in "Administration": "relay [NETWORK] [#CHANNEL [off]]",
        "has a session of yours say in a channel what people write in its shared room who have no connection of their own",
        "Their name stands before what they say. Best is a session of its own: open libera as relay, then relay #tea in that \
         network's room. Who has a connection of their own speaks by that, you too. The room is told. How people are called \
         and what is relayed is set with the settings that begin with relay-, for that session or that channel; without a \
         channel, shows who relays where.",
        eg ["relay #tea", "relay #tea off", "relay"], at [Control, Network], for Admin
        => relay::relay;
    "listen" in "Administration": "listen [NETWORK] [NUMBER | off]",
        "has a session of yours hear the channels of shared rooms with few people",
        "It is in the channel of each shared room of its network that fewer people than NUMBER have with a connection of \
         their own, so that nothing is missed while theirs is away; of a room that was there before also where nobody has \
         one. It says nothing. Best is a session of its own: open libera as listen, then listen 3 in that network's room. \
         Where a room has more people it goes, and where a session relays it is not needed. Without a number, shows who \
         listens where.",
        eg ["listen 3", "listen off", "listen"], at [Control, Network], for Admin
        => relay::listen;
    "bot" in "Administration": "bot [name NAME | name off | avatar mxc://… | avatar off]",
        "sets the name and the picture that people see of me, or shows them",
        "They hold at once, and over restarts. With off they are as they are built in. What the configuration says can't be \
         changed here.",
        eg ["bot", "bot name Messenger", "bot avatar mxc://example.org/AbCdEf"], for Admin
        => bot::bot;
    "avatar" in "Administration": "avatar [NETWORK] NICK mxc://… | off",
        "gives somebody on IRC a picture, for all users of this bridge, or takes it",
        "",
        eg ["avatar bob mxc://example.org/AbCdEf"], for Admin
        => bot::avatar;
    "limits" in "Administration": "limits [NAME [VALUE | off]]",
        "shows how much this bridge takes on, or sets one of its limits",
        "A value is as in the configuration: 20, 15m, 30d, keep. It holds at once, and over restarts; with off it is as \
         built in. What the configuration says can't be changed here.",
        eg ["limits", "limits lines 10", "limits lines off"], for Admin
        => limits::limits;
    "announce" in "Administration": "announce TEXT", "tells all users something, each in their chat with me",
        "It mentions them, so that they are notified.",
        eg ["announce The bridge restarts at 20:00."], for Admin
        => admin::announce;
    "drain" in "Administration": "drain [off]", "prepares maintenance: nobody connects anew, and what still waits is shown",
        "A restart loses nothing; this is for one that disturbs as few as possible.",
        eg ["drain", "drain off"], for Admin
        => admin::drain;
    "stats" in "Administration": "stats", "shows how much this bridge does, and what waits",
        "",
        eg ["stats"], for Admin
        => admin::stats;
}

/// The command of this name.
pub(super) fn find(name: &str) -> Option<&'static Command> {
    let name = name.to_lowercase();
    COMMANDS.iter().find(|command| command.name == name || command.aliases.contains(&name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_stands_for_one_command() {
        let mut names: Vec<_> = COMMANDS.iter().flat_map(|c| c.aliases.iter().chain([&c.name])).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
        assert!(COMMANDS.iter().all(|command| command.usage.starts_with(command.name)));
        assert!(COMMANDS.iter().all(|command| command.permission > Permission::None));
    }

    #[test]
    fn every_command_has_examples_of_its_own_and_may_be_typed_somewhere() {
        for command in COMMANDS {
            assert!(!command.examples.is_empty() && !command.at.is_empty(), "{}", command.name);
            for example in command.examples {
                let (spot, typed) = match example.strip_prefix("!irc ") {
                    Some(typed) => (Spot::Channel, typed),
                    None => (Spot::Network, *example),
                };
                let name = typed.split(' ').next().unwrap();
                assert_eq!(find(name).map(|found| found.name), Some(command.name), "{example}");
                assert!(command.at.contains(&spot) || command.at.contains(&Spot::Control), "{example}");
            }
        }
    }
}
