//! The table of the reader of rspamd's records.

use std::path::PathBuf;
use std::time::Duration;

use crate::value::fixed;
use crate::value::redis::RedisServer;

table! {
    /// The reader of the DMARC records that rspamd keeps in Redis.
    pub struct Rspamd {
        keys {
            /// The Redis servers that rspamd writes its records to: "HOST", "HOST:PORT" or "unix:/PATH". Each
            /// may have records of its own, and they are added up; of servers that are replicas of one
            /// another, one is read. Empty: none, and nothing is read.
            servers: Vec<RedisServer> = Vec::new(), reloads since "0.1.0";

            /// The name of an account in Redis that may read. Empty: only the password is given.
            username: Option<String> = None, reloads since "0.1.0";

            /// The file with the password, on its first line. Empty: Redis asks for none.
            password_file: Option<PathBuf> = None, reloads since "0.1.0";

            /// The number of the database in Redis.
            database: u32 = 0, [0..=65_535], reloads since "0.1.0";

            /// What stands before the domain in the names of the lists that releases before 1.5 write
            /// ("key_prefix" of rspamd).
            key_prefix: String = fixed("dmarc_"), reloads since "0.1.0";

            /// What stands before the date in the names of the sets that say which records there are
            /// ("redis_keys.index_prefix" of rspamd).
            index_prefix: String = fixed("dmarc_idx"), reloads since "0.1.0";

            /// How often records are read. What was counted shortly before midnight (UTC) has to be read
            /// before the reports of the day are begun: keep it below "report.settle".
            interval: Duration = Duration::from_secs(300),
                [Duration::from_secs(1)..=Duration::from_secs(86_400)], reloads since "0.1.0";
        }
    }
}
