//! What a model costs at a given time: its prices, each from a moment on; it knows no file.

use atelier_kit::moment::Micros;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A million tokens read.
    MillionInputTokens,
    /// A million tokens written.
    MillionOutputTokens,
    /// A picture.
    Image,
    /// A million characters spoken.
    MillionCharacters,
    /// A minute of audio.
    AudioMinute,
}

/// What one unit costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    /// What is counted.
    pub unit: Unit,
    /// The price in millionths of the currency.
    pub micros: i64,
    /// The currency, as its ISO 4217 code.
    pub currency: String,
}

/// All prices of a model from a moment on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PriceList {
    /// From when on they hold; `None`: as long as anybody remembers.
    pub from: Option<Micros>,
    /// One price for each unit; what is not there costs nothing.
    pub prices: Vec<Price>,
}

/// What a model costs over time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prices {
    /// In the order in which they hold, each until the next begins; only the first may have no beginning.
    lists: Vec<PriceList>,
}

impl Prices {
    /// These lists, in the order in which they hold.
    pub(super) fn new(lists: Vec<PriceList>) -> Self {
        Self { lists }
    }

    /// What it costs at this time; nothing, before the first list begins and where there is none.
    pub fn at(&self, now: Micros) -> &[Price] {
        let holds = |list: &&PriceList| list.from.is_none_or(|from| from <= now);
        let last = self.lists.iter().take_while(holds).last();
        last.map_or(&[], |list| &list.prices)
    }

    /// What is announced at this time: the lists that begin later, with when.
    pub fn after(&self, now: Micros) -> impl Iterator<Item = (Micros, &[Price])> {
        let begins = move |list: &PriceList| list.from.filter(|from| *from > now);
        self.lists
            .iter()
            .filter_map(move |list| Some((begins(list)?, &*list.prices)))
    }

    /// What a unit costs at this time; 0 where nothing is said of it.
    pub fn of(&self, unit: Unit, now: Micros) -> i64 {
        let price = self.at(now).iter().find(|price| price.unit == unit);
        price.map_or(0, |price| price.micros)
    }

    /// Whether it costs anything, at any time.
    pub fn is_priced(&self) -> bool {
        self.lists
            .iter()
            .flat_map(|list| &list.prices)
            .any(|price| price.micros > 0)
    }

    /// The lists, in the order in which they hold.
    pub fn lists(&self) -> &[PriceList] {
        &self.lists
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(from: Option<Micros>, micros: i64) -> PriceList {
        let price = Price {
            unit: Unit::Image,
            micros,
            currency: "USD".into(),
        };
        PriceList {
            from,
            prices: vec![price],
        }
    }

    fn micros(prices: &[Price]) -> Vec<i64> {
        prices.iter().map(|price| price.micros).collect()
    }

    #[test]
    fn each_list_holds_from_its_moment_until_the_next() {
        let prices = Prices::new(vec![list(None, 1), list(Some(100), 2), list(Some(200), 3)]);
        for (now, expected) in [(0, 1), (99, 1), (100, 2), (199, 2), (200, 3), (i64::MAX, 3)] {
            assert_eq!(micros(prices.at(now)), [expected], "at {now}");
            assert_eq!(prices.of(Unit::Image, now), expected);
            assert_eq!(prices.of(Unit::AudioMinute, now), 0);
        }
        let announced = |now| -> Vec<(Micros, Vec<i64>)> {
            let lists = prices.after(now);
            lists.map(|(from, list)| (from, micros(list))).collect()
        };
        assert_eq!(announced(99), [(100, vec![2]), (200, vec![3])]);
        assert_eq!(announced(100), [(200, vec![3])]);
        assert!(announced(200).is_empty());
    }

    #[test]
    fn nothing_is_charged_before_the_first_moment_and_a_price_of_nothing_is_none() {
        let later = Prices::new(vec![list(Some(100), 2)]);
        assert!(later.at(99).is_empty());
        assert_eq!(
            (later.of(Unit::Image, 99), later.of(Unit::Image, 100)),
            (0, 2)
        );
        assert!(later.is_priced());
        assert!(!Prices::new(vec![list(None, 0)]).is_priced());
        assert!(!Prices::default().is_priced());
        assert!(Prices::default().at(0).is_empty());
    }
}
