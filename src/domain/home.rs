//! Where a person is at home, as far as their number says.

use crate::{
    policy::Country,
    zones::{self, Zone},
};

/// Where a person may be, by their number alone. People take numbers with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Home {
    /// The country of the number; `None` where nobody knows it.
    pub country: Option<Country>,
    /// The one zone the number stands for, where it stands for one of several.
    pub zone: Option<Zone>,
}

impl Home {
    /// Puts together what is stored. A zone that is not in this program's database is none.
    pub fn stored(country: Option<Country>, zone: Option<&str>) -> Self {
        Self { country, zone: zone.and_then(|name| Zone::parse(name).ok()) }
    }

    /// Returns every zone in which the person may be; none if nobody knows.
    pub fn zones(&self) -> &[Zone] {
        match (&self.zone, self.country) {
            (Some(zone), _) => std::slice::from_ref(zone),
            (None, Some(country)) => zones::of_region(country.as_str()),
            (None, None) => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_says_nothing_more_stands_for_every_zone_of_its_country() {
        let country = Country::parse("ID").ok();
        let zones: Vec<_> =
            Home { country, zone: None }.zones().iter().map(|one| one.name()).collect();
        assert!(zones.contains(&"Asia/Jakarta") && zones.contains(&"Asia/Jayapura"), "{zones:?}");
        let zone = Zone::parse("Asia/Jakarta").ok();
        assert_eq!(Home { country, zone }.zones(), zone.as_slice());
        assert!(Home::default().zones().is_empty());
    }
}
