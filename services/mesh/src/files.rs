//! How many files the process may have open, each of its connections among them.

/// Takes what the system allows: by custom a process begins with 1,024, for programs that call `select`.
#[cfg(unix)]
#[expect(unsafe_code, reason = "the system is told so by a function of C")]
pub fn allow() {
    let Some(mut limit) = limit() else { return };
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: setrlimit reads the structure that it is given, and no other memory of ours.
    unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
}

/// How many there may be now; nobody knows on other systems.
#[cfg(unix)]
pub fn allowed() -> Option<usize> {
    usize::try_from(limit()?.rlim_cur).ok()
}

#[cfg(unix)]
#[expect(unsafe_code, reason = "the system is asked by a function of C")]
fn limit() -> Option<libc::rlimit> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: getrlimit writes into the structure that it is given, and no other memory of ours.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    (known == 0).then_some(limit)
}

/// Other systems have no such limit that a program is told of.
#[cfg(not(unix))]
pub fn allow() {}

/// Other systems have no such limit that a program is told of.
#[cfg(not(unix))]
pub fn allowed() -> Option<usize> {
    None
}
