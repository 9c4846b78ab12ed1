//! The drill: people talk in both directions while the bridge is killed and started again, and the lines between it
//! and the servers have their faults. In the end everything is mended, and the judge looks at the peers' logs.
//!
//! Not a judge, and not tied to an IRC server: what it needs of one is a [`Channel`].

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use towline::failpoint::{NAMES, VARIABLE};

use super::judge::{Evidence, Numbered, Verdict, judge, text_of};
use crate::support::bridge::{BridgeProcess, World};
use crate::support::clock::now;
use crate::support::homeserver::TestUser;
use crate::support::random::Random;

/// The room's owner, and how often a line is said in each direction.
const WRITER: &str = "alice";
const PACE: Duration = Duration::from_millis(10);
/// So many lines for each kill go at that pace. Where the machine is so slow that it takes more, they talk at leisure:
/// what piles up while the bridge is down shall not outgrow what it fetches afterwards.
const LINES_PER_KILL: u32 = 200;
/// Lines of the writer that arrive between two faults of the line to the IRC server.
const HEARD_BETWEEN_FAULTS: usize = 5;
const LEISURE: Duration = Duration::from_millis(100);
/// How long a failpoint may take to be reached its number of times: the connection to IRC is cut every few seconds, and
/// then it is dialled again, later each time.
const POINT_LIMIT: Duration = Duration::from_mins(3);
/// How long nothing may come in the end, until what has not come is missing.
const QUIET_LIMIT: Duration = Duration::from_mins(1);
const LOOK: Duration = Duration::from_millis(100);

/// The channel as the people in it have it, and one witness who only listens.
pub(crate) trait Channel {
    /// Who talks on IRC.
    fn speakers(&self) -> &[&'static str];
    /// A speaker says something.
    fn say(&self, speaker: &str, text: &str);
    /// What the witness got after so many lines: nick, verb, and the last parameter.
    fn witnessed_after(&self, count: usize) -> Vec<(String, String, String)>;
}

/// One end of the bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kill {
    /// At this pass of a failpoint.
    At(&'static str, u32),
    /// So long after its start.
    After(Duration),
}

impl Kill {
    /// So many rounds: each kills at each failpoint once, at a random pass, and so many times at a random moment (before
    /// it listens, while it connects, while it is in the channel), in a random order.
    pub(crate) fn rounds(random: &mut Random, rounds: usize, moments: usize) -> Vec<Self> {
        let mut kills = Vec::new();
        for _ in 0..rounds {
            let mut round: Vec<Self> =
                NAMES.iter().map(|&name| Self::At(name, random.between(1, 80) as u32)).collect();
            let moment = |random: &mut Random| Self::After(Duration::from_millis(random.between(1, 2_500)));
            round.extend((0..moments).map(|_| moment(random)));
            for last in (1..round.len()).rev() {
                round.swap(last, random.between(0, last as u64 + 1) as usize);
            }
            kills.extend(round);
        }
        kills
    }

    fn kind(self) -> &'static str {
        match self {
            Self::At(name, _) => name,
            Self::After(_) => "random",
        }
    }
}

/// What goes wrong besides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Faults {
    /// So many of a hundred requests between the bridge and the homeserver fail.
    pub(crate) requests: u64,
    /// The line to the IRC server has its faults.
    pub(crate) irc: bool,
}

/// What happened, for the judge.
#[derive(Default)]
struct Record {
    said_at: RefCell<HashMap<Numbered, u64>>,
    written: RefCell<Vec<(Numbered, String)>>,
    witnessed: RefCell<Witnessed>,
    outages: RefCell<Outages>,
    ended: Cell<bool>,
}

/// The witness's log, read on from where it was read before.
#[derive(Default)]
struct Witnessed {
    count: usize,
    said: Vec<Numbered>,
    heard: Vec<String>,
    /// Whoever is there for the writer: their nick, or another while that is taken.
    present: Vec<String>,
}

/// When the writer was not there, or could not have heard anything.
#[derive(Default)]
struct Outages {
    since: Option<u64>,
    /// Their absence was seen, so that their return ends the outage.
    is_absent: bool,
    past: Vec<(u64, u64)>,
}

impl Outages {
    fn begin(&mut self) {
        self.since.get_or_insert(now());
    }

    fn look(&mut self, is_present: bool) {
        if !is_present {
            self.begin();
            self.is_absent = true;
        } else if self.is_absent {
            self.is_absent = false;
            self.past.extend(self.since.take().map(|since| (since, now())));
        }
    }

    /// The outages so far, with the one that goes on.
    fn all(&self) -> Vec<(u64, u64)> {
        self.past.iter().copied().chain(self.since.map(|since| (since, now()))).collect()
    }
}

/// What a drill came to.
pub(crate) struct Report {
    pub(crate) verdict: Verdict,
    kills: BTreeMap<&'static str, usize>,
    faults: usize,
    longest_outage: u64,
    seconds: u64,
}

impl Report {
    /// Prints the figures, and fails where something was lost, doubled, out of order or untold.
    #[expect(clippy::print_stdout, reason = "the figures are what the test is for, too")]
    pub(crate) fn conclude(&self, what: &str) {
        let total: usize = self.kills.values().sum();
        println!(
            "{what}: {total} kills {:?}, {} faults of requests, longest outage {} ms, {} s",
            self.kills, self.faults, self.longest_outage, self.seconds
        );
        println!("{}", self.verdict.figures);
        assert!(self.verdict.is_good(), "{what}: {}", self.verdict.describe());
        // To be told of each line would be no delivery.
        let figures = &self.verdict.figures;
        assert!(figures.arrived * 2 > figures.written, "most lines arrive on IRC: {figures}");
        assert!(figures.shown * 10 > figures.said, "lines arrive in the room between the outages: {figures}");
    }
}

/// The people, the bridge's world, and what happens to it.
pub(crate) struct Drill<'a, C> {
    pub(crate) world: &'a World,
    pub(crate) channel: &'a C,
    pub(crate) writer: TestUser,
    pub(crate) room: String,
    /// Whether lines may be missing inside a gap's notice.
    pub(crate) may_miss: bool,
    pub(crate) random: Random,
}

impl<C: Channel> Drill<'_, C> {
    /// Runs the drill on a bridge that is up, with the writer in the channel.
    pub(crate) async fn run(mut self, process: BridgeProcess, kills: Vec<Kill>, faults: Faults) -> Report {
        let record = Record::default();
        let start = now();
        let (mut weather, mut memory) = (Random::new(self.random.next()), Random::new(self.random.next()));
        record.witnessed.borrow_mut().present.push(WRITER.to_owned());
        if faults.requests > 0 {
            self.world.homeserver.faults().storm(Random::new(self.random.next()), faults.requests);
        }
        let brisk = LINES_PER_KILL * kills.len() as u32;
        let killed = {
            let trouble = async {
                if faults.irc {
                    self.trouble_irc(&record, &mut weather).await;
                }
            };
            let ((), (), killed) = tokio::join!(self.talk(&record, brisk), trouble, async {
                let killed = self.kill(&mut memory, &record, process, kills).await;
                record.ended.set(true);
                killed
            });
            killed
        };
        let mended = self.mend();
        let verdict = self.settle(&record).await;
        if !verdict.is_good() {
            self.keep_evidence(&record, &mended);
        }
        assert_eq!(mended.stop().await, Some(0));
        let outages = record.outages.borrow();
        Report {
            verdict,
            kills: killed,
            faults: self.world.homeserver.faults().storm_faults(),
            longest_outage: outages.all().iter().map(|(from, to)| to - from).max().unwrap_or_default(),
            seconds: (now() - start) / 1000,
        }
    }

    /// Everybody talks until the end.
    async fn talk(&self, record: &Record, brisk: u32) {
        let mut pace = tokio::time::interval(PACE);
        let mut number = 0;
        while !record.ended.get() {
            pace.tick().await;
            number += 1;
            if number == brisk {
                pace = tokio::time::interval(LEISURE);
            }
            self.say_next(record, number);
            self.look(record);
        }
    }

    /// One line in each direction.
    fn say_next(&self, record: &Record, number: u32) {
        let speakers = self.channel.speakers();
        let speaker = speakers[number as usize % speakers.len()];
        record.said_at.borrow_mut().insert((speaker.to_owned(), number), now());
        self.channel.say(speaker, &text_of(speaker, number));
        let event = self.writer.send_text(&self.room, &text_of(WRITER, number));
        record.written.borrow_mut().push(((WRITER.to_owned(), number), event));
    }

    /// Reads the witness's log on.
    fn look(&self, record: &Record) {
        let mut seen = record.witnessed.borrow_mut();
        for (nick, verb, last) in self.channel.witnessed_after(seen.count) {
            seen.count += 1;
            let is_writer = nick.starts_with(WRITER);
            match verb.as_str() {
                "PRIVMSG" if is_writer => seen.heard.push(last),
                "PRIVMSG" => {
                    let (speaker, number) = last.split_once('-').expect("speakers say numbered lines");
                    seen.said.push((speaker.to_owned(), number.parse().unwrap()));
                }
                "JOIN" if is_writer => seen.present.push(nick),
                "QUIT" | "PART" => seen.present.retain(|present| *present != nick),
                "NICK" if is_writer => {
                    seen.present.retain(|present| *present != nick);
                    seen.present.push(last);
                }
                _ => {}
            }
        }
        record.outages.borrow_mut().look(!seen.present.is_empty());
    }

    /// Kills the bridge in each of these ways, and starts it again at once.
    async fn kill(
        &self,
        random: &mut Random,
        record: &Record,
        first: BridgeProcess,
        kills: Vec<Kill>,
    ) -> BTreeMap<&'static str, usize> {
        let mut killed: BTreeMap<&'static str, usize> = BTreeMap::new();
        // The first process is there already, and has no failpoint.
        tokio::time::sleep(Duration::from_millis(200)).await;
        first.kill().await;
        record.outages.borrow_mut().begin();
        for kill in kills {
            *killed.entry(kill.kind()).or_default() += 1;
            match kill {
                Kill::At(name, pass) => {
                    let point = format!("{name}:{pass}");
                    let mut process = self.world.start_process_with(&[LOG, (VARIABLE, &point)]);
                    let is_killed = process.wait_killed(POINT_LIMIT).await;
                    assert!(is_killed, "{point} was not reached\n{}", process.log_tail());
                }
                Kill::After(time) => {
                    let process = self.world.start_process_with(&[LOG]);
                    tokio::time::sleep(time).await;
                    process.kill().await;
                }
            }
            record.outages.borrow_mut().begin();
            // As when it is restarted, too: what was sent is only found by looking for it.
            if random.percent(30) {
                self.world.homeserver.forget_transactions();
            }
        }
        killed
    }

    /// The line to the IRC server has one fault after the other.
    async fn trouble_irc(&self, record: &Record, random: &mut Random) {
        let proxy = self.world.proxy.as_ref().expect("the bridge reaches IRC through a proxy");
        let mut pause = Duration::from_millis(random.between(100, 700));
        let mut heard = 0;
        while !record.ended.get() {
            tokio::time::sleep(pause).await;
            // On a slow machine the line has its time to carry something between two faults.
            if record.witnessed.borrow().heard.len() < heard {
                continue;
            }
            pause = Duration::from_millis(random.between(200, 1_200));
            let lasts = Duration::from_millis(random.between(50, 400));
            // A connection that is gone costs seconds, so that it goes seldom.
            match random.between(0, 20) {
                0..6 => proxy.delay(Duration::from_millis(random.between(5, 80))),
                6..11 => proxy.slow(random.between(20, 60) as usize),
                11..18 => {
                    let garbage: Vec<u8> =
                        (0..random.between(1, 600)).map(|_| random.between(14, 256) as u8).collect();
                    proxy.garbage(&garbage);
                }
                18 => {
                    record.outages.borrow_mut().begin();
                    proxy.half_open();
                    tokio::time::sleep(lasts).await;
                    proxy.close_connections();
                }
                _ => {
                    record.outages.borrow_mut().begin();
                    proxy.close_connections();
                }
            }
            tokio::time::sleep(lasts).await;
            proxy.restore();
            heard = record.witnessed.borrow().heard.len() + HEARD_BETWEEN_FAULTS;
        }
    }

    /// All faults end, and the bridge is started for good.
    fn mend(&self) -> BridgeProcess {
        self.world.homeserver.faults().clear();
        if let Some(proxy) = &self.world.proxy {
            proxy.close_connections();
            proxy.restore();
        }
        self.world.start_process_with(&[LOG])
    }

    /// Waits until everything has arrived or was told, or nothing has come for so long; then sees that nothing more
    /// comes.
    async fn settle(&self, record: &Record) -> Verdict {
        let limit = QUIET_LIMIT.as_millis() as u64;
        let mut deadline = now() + limit;
        let mut look = tokio::time::interval(LOOK);
        let mut number = u32::MAX / 2;
        let mut last_words = false;
        let mut seen = (0, 0);
        loop {
            look.tick().await;
            self.look(record);
            let before = seen;
            seen = (self.world.homeserver.event_count(&self.room), record.witnessed.borrow().heard.len());
            if seen != before {
                // It takes the machine's time to judge, and this is no moment for it.
                deadline = now() + limit;
                continue;
            }
            let verdict = self.judge(record);
            let is_back = record.outages.borrow().since.is_none();
            if (is_back && last_words && verdict.is_good()) || now() > deadline {
                return verdict;
            }
            if is_back && !last_words && verdict.is_good() {
                // What would still come a second time comes before these.
                number += 1;
                self.say_next(record, number);
                last_words = true;
            }
        }
    }

    /// Writes down what a failure is understood by: the room, the channel, the outages and the bridge's own log.
    #[expect(clippy::print_stdout, reason = "somebody has to find it")]
    fn keep_evidence(&self, record: &Record, process: &BridgeProcess) {
        let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("crash-{}", now()));
        std::fs::create_dir_all(&directory).unwrap();
        let events = self.world.homeserver.events(&self.room);
        let room = events.iter().map(|event| {
            format!("{} {} {} {} {}\n", event.ts, event.event_id, event.sender, event.kind, event.content)
        });
        let seen = record.witnessed.borrow();
        let said_at = record.said_at.borrow();
        let said = seen.said.iter().map(|line| format!("{} {}-{}\n", said_at[line], line.0, line.1));
        let outages = record.outages.borrow().all().into_iter().map(|(from, to)| format!("{from} {to}\n"));
        std::fs::write(directory.join("room"), room.collect::<String>()).unwrap();
        std::fs::write(directory.join("said"), said.collect::<String>()).unwrap();
        std::fs::write(directory.join("heard"), seen.heard.join("\n")).unwrap();
        std::fs::write(directory.join("outages"), outages.collect::<String>()).unwrap();
        std::fs::copy(process.log_file(), directory.join("log")).unwrap();
        println!("the evidence is in {}", directory.display());
    }

    fn judge(&self, record: &Record) -> Verdict {
        let (seen, said_at) = (record.witnessed.borrow(), record.said_at.borrow());
        assert!(seen.said.len() <= said_at.len());
        let said = seen.said.iter().map(|line| (line.clone(), said_at[line])).collect();
        judge(&Evidence {
            said,
            written: &record.written.borrow(),
            heard: &seen.heard,
            room: &self.world.homeserver.events(&self.room),
            outages: &record.outages.borrow().all(),
            may_miss: self.may_miss,
        })
    }
}

/// Enough to see what happened, and not so much that writing it is what the drill measures.
const LOG: (&str, &str) = ("TOWLINE_LOG", "info");
