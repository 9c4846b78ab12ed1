//! Ports for servers that cannot be told to take any, given to nobody else.
//!
//! A port that was bound and let go may be another's before its server binds it: the kernel gives it to the next
//! connection or listener of this machine, and a server that finds it taken may go on without it. These lie below
//! the range that the kernel gives from (`net.ipv4.ip_local_port_range`, 32768 on), and each is given once.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, PoisonError};

const FIRST: u16 = 12_000;
const LAST: u16 = 31_999;
/// How many a process takes at once. The first of them stays bound as long as the process lives: it says whose
/// the others are.
const BLOCK: u16 = 200;

/// The rest of a process's block.
struct Block {
    next: u16,
    end: u16,
    _first: TcpListener,
}

/// A loopback port that is free, and given to nobody else.
pub(crate) fn free_port() -> u16 {
    static BLOCKS: Mutex<Vec<Block>> = Mutex::new(Vec::new());
    let mut blocks = BLOCKS.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let Some(block) = blocks.last_mut().filter(|block| block.next < block.end) else {
            blocks.push(new_block());
            continue;
        };
        let port = block.next;
        block.next += 1;
        if listen(port).is_some() {
            return port;
        }
    }
}

fn new_block() -> Block {
    let mut blocks = (FIRST..=LAST - BLOCK).step_by(BLOCK.into());
    blocks
        .find_map(|first| Some(Block { next: first + 1, end: first + BLOCK, _first: listen(first)? }))
        .expect("a machine has some thousand ports to spare")
}

fn listen(port: u16) -> Option<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()
}
