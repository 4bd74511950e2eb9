//! Returns free memory to the operating system.
//!
//! After a load peak, glibc's allocator returns only the memory above the highest live block. One
//! block that was allocated during the peak and stays keeps everything below it. Ten thousand
//! connections left 200 MiB with the API that way, permanently. `malloc_trim` returns every free
//! page, wherever it is.
//!
//! A separate crate because the call needs `unsafe`, which no other crate of the workspace may use.
//! Other allocators were tried. mimalloc also kept up to 200 MiB, at random, because it returns
//! memory only when a thread allocates. jemalloc with background threads returns all of it, but
//! needs `make` to build, where everything else needs only a C compiler.
//!
//! Called by `runtime::memory`.

/// Returns every free page to the operating system. Takes less than 0.1 ms if little is free, and
/// about 30 ms after ten thousand connections; an allocation in the meantime may have to wait. Safe
/// to call from any thread.
///
/// Does nothing if the allocator is not glibc's (musl, macOS).
pub fn trim() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    glibc::malloc_trim(0);
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod glibc {
    use std::ffi::c_int;

    #[expect(
        unsafe_code,
        reason = "glibc documents the signature, and that any thread may call it at any time: malloc_trim(3), MT-Safe"
    )]
    unsafe extern "C" {
        /// `pad`: the number of bytes to keep at the top of the heap. Returns 1 if any memory was
        /// returned.
        pub safe fn malloc_trim(pad: usize) -> c_int;
    }
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;

    /// The anonymous resident memory of this process, in KiB.
    fn resident() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let mut lines = status.lines();
        let own = lines.find_map(|line| line.strip_prefix("RssAnon:"));
        own.unwrap().trim_end_matches("kB").trim().parse().unwrap()
    }

    /// 64 MiB in blocks like those of connections, and one block after them that stays.
    #[test]
    fn free_memory_below_a_live_block_is_returned() {
        let crowd: Vec<Vec<u8>> = (0..8192).map(|_| vec![1; 8192]).collect();
        let stays = vec![1_u8; 64];
        drop(crowd);
        let kept = resident();

        trim();

        let left = resident();
        assert!(
            kept > 64 * 1024 && left < 16 * 1024,
            "{kept} KiB, then {left}"
        );
        drop(stays);
    }
}
