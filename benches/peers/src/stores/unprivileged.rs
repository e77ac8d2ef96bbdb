use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// Nobody's, on every Linux: database servers refuse to be root.
const NOBODY: u32 = 65_534;

/// A program that is not root, in a folder.
pub(crate) fn command(program: impl AsRef<OsStr>, folder: &Path) -> io::Result<Command> {
    let mut command = Command::new(program);
    command.current_dir(folder);
    if is_root()? {
        command.uid(NOBODY).gid(NOBODY);
    }
    Ok(command)
}

/// A folder of its own for such programs.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    match is_root()? {
        true => chown(folder, Some(NOBODY), Some(NOBODY)),
        false => Ok(()),
    }
}

fn is_root() -> io::Result<bool> {
    Ok(fs::metadata("/proc/self")?.uid() == 0)
}
