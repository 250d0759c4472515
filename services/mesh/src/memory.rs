//! What the allocator is told at the start; nothing else knows which one it is.

/// Has glibc give large blocks back as soon as they are freed. By itself it learns from the first of them to keep the
/// later ones, and then the 19 MiB that each password takes stay in every thread's arena: after some logins the process
/// holds four times the memory (measured by `bench/start`).
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "glibc is told so by a function of C")]
pub fn give_back() {
    /// glibc's own first threshold, in bytes, which then no longer moves.
    const LARGE: libc::c_int = 128 * 1024;
    // SAFETY: mallopt takes two numbers and reads no memory of ours; no other thread exists yet.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
        libc::mallopt(libc::M_TRIM_THRESHOLD, LARGE);
    }
}

/// Other allocators need not be told.
#[cfg(not(target_env = "gnu"))]
pub fn give_back() {}
