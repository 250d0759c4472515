//! What the server is asked to do. Each is one script, and so one step for everybody else; all keys of one are on one slot.
//!
//! Sequences are compared as numbers of 53 bits, which are exact for the first two million epochs of a generation, and are
//! passed on as the texts that they came as.

use std::sync::LazyLock;

use atelier_kit::redis::{Script, ScriptInvocation};

/// The event is in the stream.
pub(super) const DONE: i64 = 1;
/// The server does not know the generation, or a part of it was evicted.
pub(super) const UNKNOWN: i64 = -1;
/// So many events are read at once: a few megabytes of the largest, which come well within the time that an answer may take.
pub(super) const PAGE: usize = 64;

/// What is read: the sequence up to which events were dropped, whether it has ended, the snapshot in place of those that were
/// dropped where it is wanted, and the events.
pub(super) type Read = (i64, i64, Option<Vec<u8>>, Vec<(String, (String, Vec<u8>))>);

/// Each script knows the generation, or nothing: where the server had to evict one of its two keys, the other is no use.
macro_rules! script {
    ($text:literal) => {
        LazyLock::new(|| {
            Script::new(concat!(
                "local function known(...)\n",
                "  local m = redis.call('HMGET', KEYS[1], 'count', ...)\n",
                "  if not m[1] or tonumber(m[1]) ~= redis.call('XLEN', KEYS[2]) then return nil end\n",
                "  table.remove(m, 1)\n",
                "  return m\n",
                "end\n",
                $text
            ))
        })
    };
}

/// epoch, time to live, last sequence, snapshot: the bytes and the last sequence of what is there, or false.
pub(super) static OPEN: LazyLock<Script> = script!(
    "local m = known('epoch', 'bytes', 'last', 'ended')
     if m then
       if tonumber(ARGV[1]) < tonumber(m[1]) then return false end
       redis.call('HSET', KEYS[1], 'epoch', ARGV[1])
       if not m[4] then
         redis.call('PEXPIRE', KEYS[1], ARGV[2])
         redis.call('PEXPIRE', KEYS[2], ARGV[2])
       end
       return {m[2], m[3]}
     end
     redis.call('DEL', KEYS[1], KEYS[2])
     redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'last', ARGV[3], 'bytes', 0, 'count', 0,
       'dropped', ARGV[3], 'snapshot', ARGV[4])
     redis.call('PEXPIRE', KEYS[1], ARGV[2])
     return {0, ARGV[3]}"
);

/// epoch, sequence, entry, event, bytes with it, time to live, whether it is the last, whether it is sent again; and where
/// something is dropped the first entry that stays, the last sequence that goes, and the snapshot in its place.
pub(super) static APPEND: LazyLock<Script> = script!(
    "local m = known('epoch', 'last', 'ended')
     if not m then return -1 end
     if m[1] ~= ARGV[1] then return 0 end
     if ARGV[8] == '1' and m[2] == ARGV[2] then return 1 end
     if m[3] or tonumber(ARGV[2]) <= tonumber(m[2]) then return 0 end
     redis.call('XADD', KEYS[2], ARGV[3], 'e', ARGV[4])
     if ARGV[9] ~= '' then
       redis.call('XTRIM', KEYS[2], 'MINID', ARGV[9])
       redis.call('HSET', KEYS[1], 'dropped', ARGV[10], 'snapshot', ARGV[11])
     end
     redis.call('HSET', KEYS[1], 'last', ARGV[2], 'bytes', ARGV[5], 'count', redis.call('XLEN', KEYS[2]))
     local word = ARGV[2]
     if ARGV[7] == '1' then
       redis.call('HSET', KEYS[1], 'ended', 1)
       word = word .. ' over'
     end
     redis.call('PEXPIRE', KEYS[1], ARGV[6])
     redis.call('PEXPIRE', KEYS[2], ARGV[6])
     redis.call('PUBLISH', KEYS[3], word)
     return 1"
);

/// after which sequence, from which entry, how many: [`Read`], or false.
pub(super) static READ: LazyLock<Script> = script!(
    "local m = known('dropped', 'ended')
     if not m then return false end
     local snapshot = false
     if tonumber(ARGV[1]) < tonumber(m[1]) then snapshot = redis.call('HGET', KEYS[1], 'snapshot') end
     local entries = redis.call('XRANGE', KEYS[2], ARGV[2], '+', 'COUNT', ARGV[3])
     return {m[1], m[2] or 0, snapshot, entries}"
);

/// The last sequence, and whether it has ended; or false.
pub(super) static LOOK: LazyLock<Script> = script!(
    "local m = known('last', 'ended')
     if not m then return false end
     return {m[1], m[2] or 0}"
);

/// The epoch that leaves it without an end; none drops it whoever has it.
pub(super) static DROP: LazyLock<Script> = script!(
    "if ARGV[1] ~= '' then
       local m = redis.call('HMGET', KEYS[1], 'epoch', 'ended')
       if m[1] ~= ARGV[1] or m[2] then return 0 end
     end
     redis.call('DEL', KEYS[1], KEYS[2])
     redis.call('PUBLISH', KEYS[3], 'over')
     return 1"
);

/// The names of what is kept.
pub(super) struct Keys(String);

impl Keys {
    pub(super) fn of(role: &str) -> Self {
        Self(format!("atelier:{role}:gen:"))
    }

    /// The keys of a generation, as all scripts take them; and its channel, which is no key but is named like one.
    pub(super) fn name(&self, call: &mut ScriptInvocation<'_>, id: &str) {
        let prefix = &self.0;
        call.key(format!("{prefix}{{{id}}}:meta"))
            .key(format!("{prefix}{{{id}}}:events"))
            .key(self.channel(id));
    }

    pub(super) fn channel(&self, id: &str) -> String {
        format!("{}{{{id}}}:told", self.0)
    }
}

/// The entry of a sequence.
pub(super) fn entry(sequence: i64) -> String {
    format!("{}-{}", sequence >> 32, sequence & 0xffff_ffff)
}

/// All entries after a sequence.
pub(super) fn after(sequence: i64) -> String {
    format!("({}", entry(sequence))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_in_the_order_of_their_sequences() {
        assert_eq!(entry((3 << 32) + 17), "3-17");
        assert_eq!(entry(5), "0-5");
        assert_eq!(after((1 << 32) + 0xffff_ffff), "(1-4294967295");
    }
}
