using LatentBridge.Files;

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

    /// <summary>Writes tensors; a file that is there is replaced only when the new one is complete.</summary>
    /// <exception cref="LatentBridgeException">It cannot be written.</exception>
    public static void Write(string path, IEnumerable<StoredTensor> tensors, IReadOnlyDictionary<string, string> metadata)
    {
        SafetensorsWriter.Write(path, tensors, metadata);
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(path, OfFile);
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
