namespace LatentBridge.Sessions;

/// <summary>Files that only this user can read. On Windows they inherit the profile's rights.</summary>
static class PrivateFolder
{
    const UnixFileMode OfFolder = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    const UnixFileMode OfFile = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Makes a folder, and the missing ones above it; who may write there could put another in its place.</summary>
    /// <exception cref="LatentBridgeException">It cannot be made.</exception>
    public static void Make(string folder)
    {
        try
        {
            if (OperatingSystem.IsWindows())
            {
                Directory.CreateDirectory(folder);
                return;
            }

            MakeMissing(folder);
            File.SetUnixFileMode(folder, OfFolder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new LatentBridgeException($"{folder}: cannot be made ({e.Message.TrimEnd('.')}). Nothing is kept there.", e);
        }
    }

    /// <summary>Has a file written; one that is there is replaced only when the new one is complete.</summary>
    /// <param name="path">The file.</param>
    /// <param name="write">Writes it, whole or not at all.</param>
    /// <exception cref="LatentBridgeException">It cannot be written.</exception>
    public static void Write(string path, Action<string> write)
    {
        write(path);
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(path, OfFile);
        }
    }

    /// <summary>Copies a file; one that is there is replaced only when the new one is complete.</summary>
    /// <exception cref="LatentBridgeException">It cannot be written.</exception>
    public static void Copy(string from, string to)
    {
        string partial = $"{to}.{Environment.ProcessId}.partial";
        try
        {
            File.Copy(from, partial, overwrite: true); // with its mode
            File.Move(partial, to, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            File.Delete(partial);
            throw new LatentBridgeException($"{to}: cannot be written ({e.Message.TrimEnd('.')}). Check the room on the disk.", e);
        }
    }

    // A mode is only given to the last of several folders that are made at once.
    [System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
    static void MakeMissing(string folder)
    {
        if (folder.Length > 0 && !Directory.Exists(folder))
        {
            MakeMissing(Path.GetDirectoryName(folder) ?? "");
            Directory.CreateDirectory(folder, OfFolder);
        }
    }
}
