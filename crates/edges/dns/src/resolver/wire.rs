//! The octets of a question, and what the octets of an answer say.
//!
//! Names and headers are read by `hickory-proto`; record data of the few types mail
//! asks for is read here, and nothing else is: one odd record of a type nobody asked
//! about, or a TXT record without any string, does not spoil an answer.

use hickory_proto::op::{Edns, Header, Message, MessageType, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RecordType as WireType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder, DecodeError};
use landmarc_auth::lookup::{Answer, DnsName, DnsRecord, LookupError, Missing, Question, RecordType};

/// The UDP payload we announce (RFC 6891 §6.2.3): what travels without fragments.
pub(super) const UDP_PAYLOAD_OCTETS: u16 = 1232;

/// The longest chain of aliases within one answer, and over follow-up questions.
/// Resolvers stop at about as many; a loop ends here.
pub(super) const MAX_ALIASES: usize = 16;

/// RFC 9824 §2: the type in the NSEC bitmap of a name that does not exist.
const NXNAME: u16 = 128;

/// A question, ready to be sent.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    /// What it asks.
    pub(super) question: Question,
    /// The random ID that its answer must bear.
    pub(super) id: u16,
    /// The message, without the length that TCP puts before it.
    pub(super) octets: Vec<u8>,
    /// The name as it is sent, where an answer has to repeat its case.
    random_case: Option<Name>,
}

impl Packet {
    /// A question with recursion desired. `None` only for a name that DNS cannot
    /// carry, which [`DnsName`] does not let happen.
    pub(super) fn new(question: &Question) -> Option<Self> {
        // From raw labels: SPF macros make names of any octets, which the parsers of
        // text refuse.
        let name = Name::from_labels(question.name.labels()).ok()?;
        Self::named(question, name)
    }

    /// The same with each letter of the name in upper or lower case, by one of these random bits
    /// in turn. Who forges answers has to guess them all, beside ID and port
    /// (draft-vixie-dnsext-dns0x20).
    pub(super) fn with_random_case(question: &Question, mut bits: u64) -> Option<Self> {
        let mut labels: Vec<Vec<u8>> = question.name.labels().map(<[u8]>::to_vec).collect();
        let letters = labels
            .iter_mut()
            .flatten()
            .filter(|octet| octet.is_ascii_lowercase());
        for letter in letters {
            if bits & 1 == 1 {
                letter.make_ascii_uppercase();
            }
            bits = bits.rotate_right(1);
        }
        let name = Name::from_labels(labels.iter().map(Vec::as_slice)).ok()?;
        Some(Self {
            random_case: Some(name.clone()),
            ..Self::named(question, name)?
        })
    }

    fn named(question: &Question, name: Name) -> Option<Self> {
        let mut message = Message::query();
        message.metadata.recursion_desired = true;
        message.add_query(Query::query(name, wire_type(question.record_type)));
        let mut edns = Edns::new();
        edns.set_max_payload(UDP_PAYLOAD_OCTETS);
        // RFC 9824: that a name does not exist can be seen in an NSEC record only, and
        // that one is sent to who asks for DNSSEC data. Existence is asked by type A
        // (`landmarc_auth::lookup::existence`); all other answers stay free of signatures.
        edns.set_dnssec_ok(question.record_type == RecordType::A);
        message.set_edns(edns);
        Some(Self {
            question: question.clone(),
            id: message.metadata.id,
            octets: message.to_vec().ok()?,
            random_case: None,
        })
    }
}

/// Whether an answer to this packet repeats its name letter by letter, where it has to.
pub(super) fn keeps_case(octets: &[u8], packet: &Packet) -> bool {
    let Some(sent) = &packet.random_case else {
        return true;
    };
    let mut decoder = BinDecoder::new(octets);
    let query = Header::read(&mut decoder).and_then(|_| Query::read(&mut decoder));
    query.is_ok_and(|query| query.name().iter().eq(sent.iter()))
}

/// What a received message is to the question.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// Not an answer to it: to be ignored, the right one may still come.
    Foreign,
    /// Cut off: to be asked again over TCP.
    Truncated,
    /// The answer.
    Reply(Reply),
}

/// What an answer says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// This, for so many seconds; 0 forbids to keep it.
    Final {
        /// Never [`Answer::Failed`].
        answer: Answer,
        /// The least TTL of all that the answer rests on; for negative answers RFC 2308 §5.
        ttl: u32,
    },
    /// The chain of aliases ends at a name the server says nothing about.
    Alias {
        /// The name to ask about.
        target: DnsName,
        /// The least TTL of the chain.
        ttl: u32,
    },
    /// SERVFAIL, REFUSED, another code, or octets without sense.
    Failed(LookupError),
}

/// Reads a message that came from the server asked.
pub(super) fn read(octets: &[u8], packet: &Packet) -> Received {
    let mut decoder = BinDecoder::new(octets);
    let header = match Header::read(&mut decoder) {
        Ok(header) if answers(&header, &mut decoder, packet) => header,
        _ => return Received::Foreign,
    };
    if header.metadata.truncation {
        return Received::Truncated;
    }
    let reply = Sections::read(header, &mut decoder)
        .ok_or(LookupError::BadAnswer)
        .and_then(|sections| sections.interpret(&packet.question, octets));
    Received::Reply(reply.unwrap_or_else(Reply::Failed))
}

/// Whether header and question are those of an answer to this packet (RFC 5452 §9.1).
fn answers(header: &Header, decoder: &mut BinDecoder<'_>, packet: &Packet) -> bool {
    let matches = |query: &Query| {
        dns_name(query.name()).as_ref() == Some(&packet.question.name)
            && query.query_type() == wire_type(packet.question.record_type)
            && query.query_class() == DNSClass::IN
    };
    header.metadata.message_type == MessageType::Response
        && header.metadata.id == packet.id
        && header.counts.queries == 1
        && Query::read(decoder).is_ok_and(|query| matches(&query))
}

/// A record whose data is not read yet.
struct Resource {
    owner: DnsName,
    record_type: WireType,
    ttl: u32,
    data_start: usize,
    data_end: usize,
}

/// The records of an answer that could bear on it.
struct Sections {
    response_code: ResponseCode,
    answer: Vec<Resource>,
    authority: Vec<Resource>,
}

impl Sections {
    /// No more records than the message has octets for: at least eleven each.
    fn read(header: Header, decoder: &mut BinDecoder<'_>) -> Option<Self> {
        let mut metadata = header.metadata;
        let section = |count: u16, decoder: &mut BinDecoder<'_>| {
            let resources = (0..count)
                .map(|_| read_resource(decoder))
                .collect::<Result<Vec<_>, _>>();
            resources
                .ok()
                .map(|resources| resources.into_iter().flatten().collect::<Vec<_>>())
        };
        let answer = section(header.counts.answers, decoder)?;
        let authority = section(header.counts.authorities, decoder)?;
        // Of the additional section only the OPT record matters, which holds the upper
        // bits of the response code (RFC 6891 §6.1.3). What is broken there is let be.
        let additional = (0..header.counts.additionals).map_while(|_| read_resource(decoder).ok());
        for resource in additional.flatten() {
            if resource.record_type == WireType::OPT {
                let [upper_bits, ..] = resource.ttl.to_be_bytes();
                metadata.response_code = ResponseCode::from(upper_bits, metadata.response_code.low());
            }
        }
        Some(Self {
            response_code: metadata.response_code,
            answer,
            authority,
        })
    }

    fn interpret(&self, question: &Question, octets: &[u8]) -> Result<Reply, LookupError> {
        match self.response_code {
            ResponseCode::NoError | ResponseCode::NXDomain => {}
            ResponseCode::ServFail => return Err(LookupError::ServFail),
            ResponseCode::Refused => return Err(LookupError::Refused),
            _ => return Err(LookupError::BadAnswer),
        }
        let chain = self.follow_aliases(question, octets)?;
        let missing = if chain.aliases == 0 {
            Missing::Name
        } else {
            Missing::AliasTarget
        };
        // RFC 6604 §3: the response code speaks of the last name of the chain.
        if self.response_code == ResponseCode::NXDomain {
            return self.negative(Answer::NxDomain(missing), &chain, octets);
        }
        let (records, ttl) = self.records(question.record_type, &chain, octets)?;
        if !records.is_empty() {
            let answer = Answer::Records(records.into());
            return Ok(Reply::Final { answer, ttl });
        }
        let has = |record_type| self.authority.iter().any(|r| r.record_type == record_type);
        if chain.aliases > 0 && !has(WireType::SOA) {
            return Ok(Reply::Alias {
                target: chain.end,
                ttl: chain.ttl,
            });
        }
        // RFC 2308 §2.2.1: name servers without SOA make it a referral: this server does
        // not look further for us, and what it says is no answer.
        if has(WireType::NS) && !has(WireType::SOA) {
            return Err(LookupError::BadAnswer);
        }
        if self.denies_name(&chain.end, octets) {
            return self.negative(Answer::NxDomain(missing), &chain, octets);
        }
        self.negative(Answer::NoData, &chain, octets)
    }

    /// Where the aliases lead from the name asked about.
    fn follow_aliases(&self, question: &Question, octets: &[u8]) -> Result<Chain, LookupError> {
        let mut chain = Chain {
            end: question.name.clone(),
            aliases: 0,
            ttl: u32::MAX,
        };
        let asked_type = wire_type(question.record_type);
        while chain.aliases <= MAX_ALIASES {
            let mut here = self.answer.iter().filter(|r| r.owner == chain.end);
            if here.clone().any(|r| r.record_type == asked_type) {
                return Ok(chain);
            }
            let Some(alias) = here.find(|r| r.record_type == WireType::CNAME) else {
                return Ok(chain);
            };
            let target = read_name(octets, alias.data_start, alias.data_end).flatten();
            chain.end = target.ok_or(LookupError::BadAnswer)?;
            chain.aliases += 1;
            chain.ttl = chain.ttl.min(alias.ttl);
        }
        // Too long or a loop: what a resolver that notices says SERVFAIL of.
        Err(LookupError::ServFail)
    }

    /// The records of the type asked for at the end of the chain, and the least TTL.
    fn records(
        &self,
        asked: RecordType,
        chain: &Chain,
        octets: &[u8],
    ) -> Result<(Vec<DnsRecord>, u32), LookupError> {
        let mut records = Vec::new();
        let mut ttl = chain.ttl;
        for resource in &self.answer {
            if resource.owner == chain.end && resource.record_type == wire_type(asked) {
                records.extend(read_record(asked, resource, octets).ok_or(LookupError::BadAnswer)?);
                ttl = ttl.min(resource.ttl);
            }
        }
        Ok((records, ttl))
    }

    fn negative(&self, answer: Answer, chain: &Chain, octets: &[u8]) -> Result<Reply, LookupError> {
        // RFC 2308 §5: the lesser of the SOA's MINIMUM and its own TTL; "Negative responses
        // without SOA records SHOULD NOT be cached".
        let soa = self.authority.iter().find(|r| r.record_type == WireType::SOA);
        let soa_ttl = match soa {
            Some(soa) => soa
                .ttl
                .min(soa_minimum(soa, octets).ok_or(LookupError::BadAnswer)?),
            None => 0,
        };
        let ttl = soa_ttl.min(chain.ttl);
        Ok(Reply::Final { answer, ttl })
    }

    /// RFC 9824 §3.1: signed zones may answer NODATA for a name that does not exist,
    /// and say so by the type NXNAME in the NSEC record of that name.
    fn denies_name(&self, name: &DnsName, octets: &[u8]) -> bool {
        let mut proofs = self.authority.iter().filter(|r| r.record_type == WireType::NSEC);
        proofs.any(|r| r.owner == *name && nsec_has_nxname(r, octets) == Some(true))
    }
}

/// Where aliases led.
struct Chain {
    end: DnsName,
    aliases: usize,
    ttl: u32,
}

/// Reads one record but for its data. None inside when it cannot matter: another class,
/// or an owner that cannot be asked about.
fn read_resource(decoder: &mut BinDecoder<'_>) -> Result<Option<Resource>, DecodeError> {
    let owner = Name::read(decoder)?;
    let record_type = WireType::from(decoder.read_u16()?.unverified());
    let class = decoder.read_u16()?.unverified();
    let ttl = decoder.read_u32()?.unverified();
    let data_octets = usize::from(decoder.read_u16()?.unverified());
    let data_start = decoder.index();
    decoder.read_slice(data_octets)?;
    // In an OPT record the class is a size and the TTL is flags (RFC 6891 §6.1.2).
    let is_opt = record_type == WireType::OPT;
    let of_interest = is_opt || class == u16::from(DNSClass::IN);
    Ok(dns_name(&owner).filter(|_| of_interest).map(|owner| Resource {
        owner,
        record_type,
        // RFC 2181 §8: a TTL with the top bit set is to be taken as zero.
        ttl: if is_opt || ttl <= u32::MAX >> 1 { ttl } else { 0 },
        data_start,
        data_end: data_start + data_octets,
    }))
}

/// Reads the data of a record. The outer `None`: it cannot be read. The inner: it names
/// a host by a label with a dot inside, which is the name of no host.
#[allow(clippy::option_option)]
fn read_record(asked: RecordType, resource: &Resource, octets: &[u8]) -> Option<Option<DnsRecord>> {
    let data = octets.get(resource.data_start..resource.data_end)?;
    Some(match asked {
        RecordType::Txt => Some(DnsRecord::Txt(joined_strings(data)?)),
        RecordType::A => Some(DnsRecord::A(<[u8; 4]>::try_from(data).ok()?.into())),
        RecordType::Aaaa => Some(DnsRecord::Aaaa(<[u8; 16]>::try_from(data).ok()?.into())),
        RecordType::Ptr => read_name(octets, resource.data_start, resource.data_end)?.map(DnsRecord::Ptr),
        RecordType::Mx => {
            let preference = u16::from_be_bytes(*data.first_chunk()?);
            read_name(octets, resource.data_start + 2, resource.data_end)?
                .map(|exchange| DnsRecord::Mx { preference, exchange })
        }
    })
}

/// RFC 7208 §3.3 and RFC 6376 §3.6.2.2: strings are joined without a blank. There may
/// be none at all, against RFC 1035 §3.3.14.
fn joined_strings(mut data: &[u8]) -> Option<Box<[u8]>> {
    let mut joined = Vec::with_capacity(data.len());
    while let Some((&length, rest)) = data.split_first() {
        let (string, rest) = rest.split_at_checked(usize::from(length))?;
        joined.extend_from_slice(string);
        data = rest;
    }
    Some(joined.into())
}

/// A name that fills this part of the message, as read by [`read_record`].
#[allow(clippy::option_option)]
fn read_name(octets: &[u8], start: usize, end: usize) -> Option<Option<DnsName>> {
    let mut decoder = decoder_at(octets, start)?;
    let name = Name::read(&mut decoder).ok()?;
    (decoder.index() == end).then(|| dns_name(&name))
}

fn soa_minimum(soa: &Resource, octets: &[u8]) -> Option<u32> {
    // MNAME and RNAME of any length, then five numbers of which MINIMUM is the last.
    let data = octets.get(soa.data_start..soa.data_end)?;
    data.last_chunk().map(|minimum| u32::from_be_bytes(*minimum))
}

/// The bitmaps of an NSEC record (RFC 4034 §4.1.2): windows of 256 types.
fn nsec_has_nxname(nsec: &Resource, octets: &[u8]) -> Option<bool> {
    let mut decoder = decoder_at(octets, nsec.data_start)?;
    Name::read(&mut decoder).ok()?;
    let mut bitmaps = octets.get(decoder.index()..nsec.data_end)?;
    let [window, bit] = NXNAME.to_be_bytes();
    while let [number, length, rest @ ..] = bitmaps {
        let (bitmap, rest) = rest.split_at_checked(usize::from(*length))?;
        if *number == window {
            let octet = bitmap.get(usize::from(bit / 8)).copied().unwrap_or(0);
            return Some(octet & (0x80 >> (bit % 8)) != 0);
        }
        bitmaps = rest;
    }
    Some(false)
}

/// A decoder of the whole message, for compression, that stands at this place.
fn decoder_at(octets: &[u8], at: usize) -> Option<BinDecoder<'_>> {
    let at = u16::try_from(at)
        .ok()
        .filter(|&at| usize::from(at) <= octets.len())?;
    Some(BinDecoder::new(octets).clone(at))
}

/// The name in our form; `None` when a label holds a dot: written with dots between
/// the labels it would become another name.
fn dns_name(name: &Name) -> Option<DnsName> {
    let labels: Vec<&[u8]> = name.iter().collect();
    if labels.is_empty() {
        return Some(DnsName::root());
    }
    if labels.iter().any(|label| label.contains(&b'.')) {
        return None;
    }
    DnsName::from_octets(&labels.join(&b'.'))
}

fn wire_type(record_type: RecordType) -> WireType {
    match record_type {
        RecordType::Txt => WireType::TXT,
        RecordType::A => WireType::A,
        RecordType::Aaaa => WireType::AAAA,
        RecordType::Mx => WireType::MX,
        RecordType::Ptr => WireType::PTR,
    }
}

#[cfg(test)]
mod tests;
