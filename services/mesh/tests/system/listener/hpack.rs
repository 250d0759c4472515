//! Header compression (RFC 7541), as little of it as these tests need: written without compression, and read as far as
//! the codes of a status go.

use std::collections::VecDeque;

/// The symbols with codes of five to eight bits (appendix B); the codes of one length follow each other.
const SYMBOLS: [(u32, u32, &[u8]); 4] = [
    (5, 0, b"012aceiost"),
    (6, 20, b" %-./3456789=A_bdfghlmnpru"),
    (7, 92, b":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz"),
    (8, 248, b"&*,;XZ"),
];
/// The values of `:status` in the static table, from index 8.
const STATUSES: [&str; 7] = ["200", "204", "206", "304", "400", "404", "500"];
/// The entries of the static table.
const STATIC: usize = 61;

/// A header that is in no table, and goes into none.
pub fn literal(name: &str, value: &str, into: &mut Vec<u8>) {
    into.push(0);
    text(name, into);
    text(value, into);
}

/// A header that goes into the table of whoever reads it.
pub fn indexed(name: &str, value: &str, into: &mut Vec<u8>) {
    into.push(0x40);
    text(name, into);
    text(value, into);
}

fn text(text: &str, into: &mut Vec<u8>) {
    number(text.len(), into);
    into.extend_from_slice(text.as_bytes());
}

/// A length in seven bits and as many more as it takes (section 5.1).
fn number(number: usize, into: &mut Vec<u8>) {
    if number < 127 {
        into.push(number as u8);
        return;
    }
    into.push(127);
    let mut rest = number - 127;
    while rest >= 128 {
        into.push((rest % 128) as u8 | 128);
        rest /= 128;
    }
    into.push(rest as u8);
}

/// Reads the headers of one connection.
#[derive(Default)]
pub struct Decoder(VecDeque<(String, String)>);

impl Decoder {
    /// The headers of a block; names and values as far as their symbols are known.
    pub fn headers(&mut self, mut block: &[u8]) -> Vec<(String, String)> {
        let mut headers = Vec::new();
        while let Some(&first) = block.first() {
            match first {
                0x80.. => {
                    let index = take_number(&mut block, 7);
                    headers.push(self.entry(index));
                }
                0x40..0x80 => {
                    let header = self.take(&mut block, 6);
                    self.0.push_front(header.clone());
                    headers.push(header);
                }
                0x20..0x40 => {
                    take_number(&mut block, 5);
                }
                _ => headers.push(self.take(&mut block, 4)),
            }
        }
        headers
    }

    fn take(&self, block: &mut &[u8], bits: u32) -> (String, String) {
        let name = match take_number(block, bits) {
            0 => take_text(block),
            index => self.entry(index).0,
        };
        (name, take_text(block))
    }

    fn entry(&self, index: usize) -> (String, String) {
        match index {
            8..15 => (":status".to_owned(), STATUSES[index - 8].to_owned()),
            1..=STATIC => (format!("static-{index}"), String::new()),
            _ => self.0[index - STATIC - 1].clone(),
        }
    }
}

fn take_number(block: &mut &[u8], bits: u32) -> usize {
    let most = (1_usize << bits) - 1;
    let mut next = || {
        let (first, rest) = block.split_first().expect("a number");
        *block = rest;
        usize::from(*first)
    };
    let mut number = next() & most;
    if number < most {
        return number;
    }
    let mut shift = 0;
    loop {
        let byte = next();
        number += (byte & 127) << shift;
        shift += 7;
        if byte < 128 {
            return number;
        }
    }
}

fn take_text(block: &mut &[u8]) -> String {
    let huffman = block[0] & 0x80 != 0;
    let length = take_number(block, 7);
    let (text, rest) = block.split_at(length);
    *block = rest;
    if !huffman {
        return String::from_utf8_lossy(text).into_owned();
    }
    let (mut told, mut code, mut length) = (String::new(), 0, 0);
    let bits = text
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| u32::from(byte >> bit & 1)));
    for bit in bits {
        code = code << 1 | bit;
        length += 1;
        let symbols = SYMBOLS.iter().find(|(bits, ..)| *bits == length);
        let symbol =
            symbols.and_then(|(_, first, all)| all.get(code.checked_sub(*first)? as usize));
        if let Some(symbol) = symbol {
            told.push(char::from(*symbol));
            (code, length) = (0, 0);
        } else if length > 8 {
            told.push('…');
            break;
        }
    }
    told
}

#[test]
fn what_others_write_is_read() {
    // RFC 7541, C.6.1, without the headers that begin with other tables.
    let mut decoder = Decoder::default();
    let block = [
        0x48, 0x82, 0x64, 0x02, 0x58, 0x85, 0xae, 0xc3, 0x77, 0x1a, 0x4b,
    ];
    let headers = decoder.headers(&block);
    assert_eq!(headers[0], (":status".to_owned(), "302".to_owned()));
    assert_eq!(headers[1].1, "private");
    // C.6.2: what was said before is known by its number.
    let again = decoder.headers(&[0x48, 0x83, 0x64, 0x0e, 0xff, 0xbf]);
    assert_eq!(again[0], (":status".to_owned(), "307".to_owned()));
    assert_eq!(again[1].1, "private");
    let mut block = Vec::new();
    literal("a", &"x".repeat(300), &mut block);
    indexed("b", "y", &mut block);
    let headers = Decoder::default().headers(&block);
    assert_eq!((headers[0].1.len(), headers[1].1.as_str()), (300, "y"));
}
