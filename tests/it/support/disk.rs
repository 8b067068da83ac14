//! A small disk of a test's own, which can be made to hang as a dead array or a lost network volume does.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Mounted until dropped.
pub struct Disk {
    at: PathBuf,
    _image: tempfile::NamedTempFile,
}

impl Disk {
    /// Mounts a fresh disk. None where this machine does not let us: that takes root and a loop device.
    pub fn mount(at: &Path) -> Option<Self> {
        let image = tempfile::NamedTempFile::new().expect("a file");
        image.as_file().set_len(64 << 20).expect("its size");
        std::fs::create_dir_all(at).expect("a folder");
        let path = image.path().to_str().expect("our names are UTF-8");
        let folder = at.to_str().expect("our names are UTF-8");
        let is_mounted = run(&["mkfs.ext4", "-q", "-F", path]) && run(&["mount", "-o", "loop", path, folder]);
        is_mounted.then(|| Self { at: at.to_path_buf(), _image: image })
    }

    /// From now on every write waits.
    pub fn hang(&self) {
        assert!(self.run(&["fsfreeze", "-f"]), "it can be frozen");
    }

    /// From now on nothing can be written. Nobody may have a file open for writing.
    pub fn make_read_only(&self) {
        assert!(
            run(&["mount", "-o", "remount,ro", self.at.to_str().expect("our names are UTF-8")]),
            "nobody writes"
        );
    }

    pub fn recover(&self) {
        assert!(self.run(&["fsfreeze", "-u"]), "it was frozen");
    }

    fn run(&self, program: &[&str]) -> bool {
        run(&[program, &[self.at.to_str().expect("our names are UTF-8")]].concat())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Where the test failed in between it hangs still, and so would whoever has a file on it.
        self.run(&["fsfreeze", "-u"]);
        self.run(&["umount", "-l"]);
    }
}

fn run(program: &[&str]) -> bool {
    let (name, arguments) = program.split_first().expect("a program");
    let quiet = Stdio::null;
    let status = Command::new(name).args(arguments).stdout(quiet()).stderr(quiet()).status();
    status.is_ok_and(|status| status.success())
}
