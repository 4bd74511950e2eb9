//! Gives memory that is free back to the system.
//!
//! glibc's allocator keeps what a crowd has left behind: it gives back what is free above the highest block
//! that lives, and a block that was made meanwhile and stays is enough to keep everything below. Ten thousand
//! connections left 200 MiB with the API so, for good. `malloc_trim` gives back every free page, wherever it is.
//!
//! Apart from everything else because calling it takes a word that no other crate of ours may use. Other
//! allocators were tried. mimalloc kept up to 200 MiB as well, by chance, since it gives back only when a thread
//! happens to ask it for more. jemalloc with its background threads gives all back by itself, but takes
//! `make` to build, where all else is content with a C compiler.
//!
//! Called by `runtime::memory`.

/// Gives every whole page that is free back to the system. Takes less than a tenth of a millisecond where little is
/// free, and some 30 after ten thousand connections; who needs memory meanwhile may have to wait. From any thread.
///
/// Where the allocator is not glibc's (musl, macOS) nothing happens.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    glibc::malloc_trim(0);
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod glibc {
    use std::ffi::c_int;

    #[expect(
        unsafe_code,
        reason = "glibc's word for the signature, and that any thread may call it at any time: malloc_trim(3), MT-Safe"
    )]
    unsafe extern "C" {
        /// `pad`: how many bytes to keep at the top of the heap. 1 if anything was given back.
        pub safe fn malloc_trim(pad: usize) -> c_int;
    }
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;

    /// Memory of this process's own that is in RAM, in KiB.
    fn resident() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let mut lines = status.lines();
        let own = lines.find_map(|line| line.strip_prefix("RssAnon:"));
        own.unwrap().trim_end_matches("kB").trim().parse().unwrap()
    }

    /// 64 MiB in blocks as connections have them, and after them one that stays.
    #[test]
    fn what_is_free_below_a_block_that_lives_is_given_back() {
        let crowd: Vec<Vec<u8>> = (0..8192).map(|_| vec![1; 8192]).collect();
        let stays = vec![1_u8; 64];
        drop(crowd);
        let kept = resident();

        give_back();

        let left = resident();
        assert!(
            kept > 64 * 1024 && left < 16 * 1024,
            "{kept} KiB, then {left}"
        );
        drop(stays);
    }
}
