//! Numbers and texts, one behind the other; and reading them back with a limit on each.

use std::net::IpAddr;

/// Octets on their way out.
#[derive(Debug, Default)]
pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    /// Seven bits an octet, the lowest first; the top bit says that more follow (LEB128).
    pub(super) fn number(&mut self, mut number: u64) {
        while number > 0x7f {
            self.0.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.0.push(number.to_le_bytes()[0]);
    }

    pub(super) fn length(&mut self, length: usize) {
        self.number(length as u64);
    }

    pub(super) fn flag(&mut self, flag: bool) {
        self.0.push(u8::from(flag));
    }

    pub(super) fn text(&mut self, text: &str) {
        self.length(text.len());
        self.0.extend(text.as_bytes());
    }

    pub(super) fn optional(&mut self, text: Option<&str>) {
        self.flag(text.is_some());
        text.into_iter().for_each(|text| self.text(text));
    }

    pub(super) fn pairs(&mut self, list: &[(String, String)]) {
        self.length(list.len());
        for (name, comment) in list {
            self.text(name);
            self.text(comment);
        }
    }

    pub(super) fn triple(&mut self, (domain, name, result): &(String, String, String)) {
        for word in [domain, name, result] {
            self.text(word);
        }
    }

    /// An address, led by its octets.
    pub(super) fn address(&mut self, ip: IpAddr) {
        match ip {
            IpAddr::V4(ip) => {
                self.0.push(4);
                self.0.extend(ip.octets());
            }
            IpAddr::V6(ip) => {
                self.0.push(16);
                self.0.extend(ip.octets());
            }
        }
    }
}

/// What was read is not what is ever written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// The octet at which it was noticed.
    pub(super) at: usize,
    /// What is wrong.
    pub(super) what: &'static str,
}

/// Octets on their way in.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
    length: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(octets: &'a [u8]) -> Self {
        Self {
            rest: octets,
            length: octets.len(),
        }
    }

    /// How many octets were read.
    pub(super) fn at(&self) -> usize {
        self.length - self.rest.len()
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn fault(&self, what: &'static str) -> Fault {
        Fault { at: self.at(), what }
    }

    /// That nothing is left.
    pub(super) fn end(&self) -> Result<(), Fault> {
        match self.rest {
            [] => Ok(()),
            _ => Err(self.fault("something behind the end")),
        }
    }

    pub(super) fn octets(&mut self, length: usize) -> Result<&'a [u8], Fault> {
        let split = self.rest.split_at_checked(length);
        let (octets, rest) = split.ok_or(self.fault("the end, where more was to come"))?;
        self.rest = rest;
        Ok(octets)
    }

    pub(super) fn array<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH], Fault> {
        let mut array = [0; LENGTH];
        array.copy_from_slice(self.octets(LENGTH)?);
        Ok(array)
    }

    pub(super) fn number(&mut self) -> Result<u64, Fault> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let [octet] = self.array()?;
            // The tenth octet has one bit of the 64.
            if shift == 63 && octet > 1 {
                break;
            }
            number |= u64::from(octet & 0x7f) << shift;
            if octet & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(self.fault("a number of more than 64 bits"))
    }

    pub(super) fn small(&mut self) -> Result<u32, Fault> {
        let number = self.number()?;
        u32::try_from(number).map_err(|_| self.fault("a number of more than 32 bits"))
    }

    /// How many of something follow. What there is of each takes an octet at least, so that nobody is made to
    /// make room for what is not there.
    pub(super) fn length(&mut self, most: usize, what: &'static str) -> Result<usize, Fault> {
        let number = self.number()?;
        let length = usize::try_from(number).unwrap_or(usize::MAX);
        if length > most {
            return Err(self.fault(what));
        }
        if length > self.rest.len() {
            return Err(self.fault("the end, where more was to come"));
        }
        Ok(length)
    }

    pub(super) fn flag(&mut self) -> Result<bool, Fault> {
        match self.array()? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(self.fault("neither yes nor no")),
        }
    }

    pub(super) fn text(&mut self, most: usize) -> Result<&'a str, Fault> {
        let length = self.length(most, "a text that is too long")?;
        let octets = self.octets(length)?;
        std::str::from_utf8(octets).map_err(|_| self.fault("a text that is not UTF-8"))
    }

    pub(super) fn string(&mut self, most: usize) -> Result<String, Fault> {
        self.text(most).map(str::to_owned)
    }

    pub(super) fn optional(&mut self, most: usize) -> Result<Option<String>, Fault> {
        match self.flag()? {
            true => self.string(most).map(Some),
            false => Ok(None),
        }
    }

    /// As many as a number before them says.
    pub(super) fn list<T>(
        &mut self,
        most: usize,
        read: impl Fn(&mut Self) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let length = self.length(most, "a list that is too long")?;
        (0..length).map(|_| read(self)).collect()
    }

    pub(super) fn address(&mut self) -> Result<IpAddr, Fault> {
        match self.array()? {
            [4] => self.array::<4>().map(IpAddr::from),
            [16] => self.array::<16>().map(IpAddr::from),
            _ => Err(self.fault("an address of neither kind")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_length_come_back() {
        for shift in 0..u64::BITS {
            for number in [1 << shift, (1 << shift) - 1, u64::MAX >> shift] {
                let mut writer = Writer::default();
                writer.number(number);
                let mut cursor = Cursor::new(&writer.0);
                assert_eq!((cursor.number(), cursor.end()), (Ok(number), Ok(())), "{number}");
                for length in 0..writer.0.len() {
                    assert!(Cursor::new(&writer.0[..length]).number().is_err());
                }
            }
        }
        let past = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2];
        assert!(Cursor::new(&past).number().is_err());
        assert!(Cursor::new(&[0x80; 40]).number().is_err());
    }

    #[test]
    fn a_text_is_read_at_its_limit_and_refused_past_it() {
        let mut writer = Writer::default();
        writer.text("four");
        assert_eq!(Cursor::new(&writer.0).text(4), Ok("four"));
        let fault = Cursor::new(&writer.0).text(3).unwrap_err();
        assert_eq!((fault.at, fault.what), (1, "a text that is too long"));
        assert!(Cursor::new(&[2, 0xff, 0xff]).text(4).is_err(), "not UTF-8");
    }

    #[test]
    fn a_list_is_not_longer_than_what_is_there() {
        let one = |cursor: &mut Cursor<'_>| cursor.number();
        assert_eq!(Cursor::new(&[2, 7, 8]).list(2, one), Ok(vec![7, 8]));
        assert!(Cursor::new(&[2, 7, 8]).list(1, one).is_err());
        assert!(Cursor::new(&[3, 7, 8]).list(9, one).is_err());
    }
}
