namespace LatentBridge.Files;

/// <summary>Tells files with bytes from pipes, sockets and devices, whose opening or reading may never return.</summary>
static class RegularFile
{
    /// <summary>Why the file is not to be opened, to follow its name; null when it may be, or is not there.</summary>
    public static string? Problem(string path)
    {
        // Nothing but a regular file has a length. A link has its own: what counts is its target's.
        FileSystemInfo file = new FileInfo(path);
        file = file.LinkTarget is null ? file : file.ResolveLinkTarget(returnFinalTarget: true) ?? file;
        return file is FileInfo { Exists: true, Length: 0 } ? "has no bytes: it is empty, a pipe or a device; a file is expected" : null;
    }
}
