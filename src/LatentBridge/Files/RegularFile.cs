namespace LatentBridge.Files;

/// <summary>Opens files that somebody named: those with bytes, and not pipes, sockets and devices, whose opening or reading may never return.</summary>
static class RegularFile
{
    const string NoBytes = "has no bytes: it is empty, a pipe or a device; a file is expected";

    /// <summary>Why the file is not to be opened, to follow its name; null when it may be, or is not there.</summary>
    public static string? Problem(string path)
    {
        // Nothing but a regular file has a length. A link has its own: what counts is its target's, and a link to an open pipe names none.
        FileSystemInfo file = new FileInfo(path);
        file = file.LinkTarget is null ? file : file.ResolveLinkTarget(returnFinalTarget: true) ?? file;
        return file is FileInfo { Exists: true, Length: 0 } || (!file.Exists && File.Exists(path)) ? NoBytes : null;
    }

    /// <summary>Opens it for reading, also while somebody else writes it.</summary>
    /// <exception cref="IOException">It is empty, a pipe or a device, not there, or cannot be opened.</exception>
    public static FileStream OpenRead(string path) => Problem(path) is { } problem
        ? throw new IOException($"\"{path}\" {problem}.")
        : new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);

    /// <summary>Its bytes.</summary>
    /// <exception cref="IOException">It is empty, a pipe or a device, not there, or cannot be read.</exception>
    public static byte[] ReadAllBytes(string path) => Problem(path) is { } problem ? throw new IOException($"\"{path}\" {problem}.") : File.ReadAllBytes(path);
}
