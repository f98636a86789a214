//! A network and mount namespace of our own, where `/etc/resolv.conf` names our DNS server.
//!
//! Peers ask the name server of that file, on port 53. In the namespace nothing but the loopback
//! exists, and it ends with the run. It takes Linux, root, and the programs `unshare` and `ip`.

use std::io;
use std::process::Command;

use nix::unistd::Uid;

use crate::options::Options;

/// Set within the namespace.
const INSIDE: &str = "LANDMARC_BENCHES_INSIDE";

/// Where the harness of the end-to-end tests looks for its Postfix.
const POSTFIX: &str = "LANDMARC_POSTFIX";

/// What makes the namespace ready: `$0` is the file that is to be `/etc/resolv.conf`.
const ENTER: &str = "ip link set lo up && mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"";

/// Whether this process runs in the namespace, and so may take port 53.
pub(crate) fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Runs the same command line again in the namespace; `false` when that needs root, and we are not.
///
/// # Errors
/// When the namespace cannot be made, or the command in it failed.
pub(crate) fn enter(options: &Options) -> io::Result<bool> {
    if is_inside() || !Uid::effective().is_root() {
        return Ok(false);
    }
    let resolv = options.folder()?.join("resolv.conf");
    std::fs::write(&resolv, "nameserver 127.0.0.1\n")?;
    let status = Command::new("unshare")
        .args(["--mount", "--net", "sh", "-c", ENTER])
        .arg(&resolv)
        .arg(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .env(INSIDE, "1")
        .env(POSTFIX, options.postfix())
        .status()?;
    if status.success() {
        Ok(true)
    } else {
        Err(io::Error::other("the run in a namespace of its own failed"))
    }
}
