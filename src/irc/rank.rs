//! What a member's prefix surely means: the ranks that the server gives, from lowest to highest.
//!
//! Not the prefixes themselves (those are in [`isupport`](super::isupport)). Power elsewhere may rest on a rank, so
//! where the server's word on its prefixes is odd, nobody has one: a letter that is also a mode of the channel, letters
//! or symbols in doubt, an order that no server has.
//!
//! Invariant 4: it all comes from `ISUPPORT`. Spec: modern IRC docs "`PREFIX` Parameter", "Channel Membership Prefixes".

use std::collections::BTreeSet;

use super::isupport::Isupport;

/// A member's rank in a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rank {
    /// They speak where not everybody may.
    Voice,
    /// Half an operator.
    HalfOperator,
    /// An operator.
    Operator,
    /// An operator whom others can't put out.
    Protected,
    /// Whose channel it is.
    Owner,
}

/// Each rank with its mode and its prefix, highest first.
const RANKS: [(Rank, char, char); 5] = [
    (Rank::Owner, 'q', '~'),
    (Rank::Protected, 'a', '&'),
    (Rank::Operator, 'o', '@'),
    (Rank::HalfOperator, 'h', '%'),
    (Rank::Voice, 'v', '+'),
];

/// The ranks that a server has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ranks(Vec<(Rank, char)>);

impl Ranks {
    /// The ranks by the server's own word; none where that is in doubt.
    #[must_use]
    pub fn of(isupport: &Isupport) -> Self {
        let prefixes = isupport.prefixes();
        let letters: BTreeSet<char> = prefixes.iter().map(|(letter, _)| *letter).collect();
        let symbols: BTreeSet<char> = prefixes.iter().map(|(_, symbol)| *symbol).collect();
        let is_whole = letters.len() == prefixes.len() && symbols.len() == prefixes.len();
        let modes = isupport.get("CHANMODES").unwrap_or_default();
        if !is_whole || modes.chars().any(|letter| letters.contains(&letter)) {
            return Self::default();
        }
        let mut ranks = Vec::new();
        for (letter, symbol) in prefixes {
            let by_letter = RANKS.iter().find(|(_, known, _)| known == letter);
            let by_symbol = RANKS.iter().find(|(_, _, known)| known == symbol);
            match (by_letter, by_symbol) {
                (Some((rank, ..)), Some((same, ..))) if rank == same => ranks.push((*rank, *symbol)),
                // A server's own, such as that of its operators: no rank of the channel.
                (None, None) => {}
                _ => return Self::default(),
            }
        }
        if ranks.is_sorted_by(|one, next| one.0 > next.0) { Self(ranks) } else { Self::default() }
    }

    /// The highest rank among somebody's prefixes.
    #[must_use]
    pub fn highest(&self, symbols: &str) -> Option<Rank> {
        let ranks = self.0.iter().filter(|(_, symbol)| symbols.contains(*symbol));
        ranks.map(|(rank, _)| *rank).max()
    }

    /// Whether the server has a rank.
    #[must_use]
    pub fn has(&self, rank: Rank) -> bool {
        self.0.iter().any(|(known, _)| *known == rank)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn ranks(tokens: &str) -> Ranks {
        let mut isupport = Isupport::default();
        isupport.apply(tokens.split_whitespace());
        Ranks::of(&isupport)
    }

    #[rstest]
    #[case::by_rfc("", "@", Some(Rank::Operator))]
    #[case::several("PREFIX=(qaohv)~&@%+", "@+", Some(Rank::Operator))]
    #[case::owner("PREFIX=(qaohv)~&@%+", "~@", Some(Rank::Owner))]
    #[case::protected("PREFIX=(qaohv)~&@%+", "&", Some(Rank::Protected))]
    #[case::half("PREFIX=(ohv)@%+", "%", Some(Rank::HalfOperator))]
    #[case::voice("PREFIX=(ov)@+", "+", Some(Rank::Voice))]
    #[case::none("PREFIX=(ov)@+", "", None)]
    #[case::a_servers_own_is_no_rank("PREFIX=(Yqaohv)!~&@%+", "!", None)]
    #[case::beside_a_servers_own("PREFIX=(Yqaohv)!~&@%+", "!+", Some(Rank::Voice))]
    fn a_prefix_is_the_rank_that_the_server_has_for_it(
        #[case] tokens: &str,
        #[case] symbols: &str,
        #[case] rank: Option<Rank>,
    ) {
        assert_eq!(ranks(tokens).highest(symbols), rank);
    }

    #[rstest]
    #[case::voice_that_looks_like_an_operator("PREFIX=(ov)+@")]
    #[case::everybody_is_an_operator("PREFIX=(vo)@+")]
    #[case::an_order_that_no_server_has("PREFIX=(vo)+@")]
    #[case::a_letter_twice("PREFIX=(oov)@%+")]
    #[case::a_symbol_twice("PREFIX=(ov)@@")]
    #[case::an_operator_under_another_letter("PREFIX=(xv)@+")]
    #[case::an_operator_with_another_symbol("PREFIX=(ov)!+")]
    #[case::a_letter_that_is_a_list_too("PREFIX=(qov)~@+ CHANMODES=bq,k,l,imnst")]
    #[case::a_letter_that_is_a_flag_too("PREFIX=(ov)@+ CHANMODES=b,k,l,imnsto")]
    #[case::no_prefixes("PREFIX=")]
    #[case::broken("PREFIX=ov@+")]
    fn nobody_has_a_rank_where_the_servers_word_on_its_prefixes_is_in_doubt(#[case] tokens: &str) {
        for symbols in ["~", "&", "@", "%", "+", "!", "~&@%+"] {
            assert_eq!(ranks(tokens).highest(symbols), None, "{symbols}");
        }
    }
}
