using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using LatentBridge.Formats;

namespace LatentBridge.Sessions;

/// <summary>What was learned of each model, as files in a folder: at most 64 and 32 MiB together, the oldest go first. Nobody else can read them.</summary>
/// <param name="folder">Made when something is written; null: nothing is kept.</param>
sealed class CalibrationStore(string? folder)
{
    const int MaximumFiles = 64;
    const long MaximumBytes = 32 << 20;
    internal const string Ending = ".safetensors";
    static readonly TimeSpan LongestWrite = TimeSpan.FromHours(1);

    /// <summary>The folder within that for what is kept, which is by default this user's: <c>~/.local/share/latentbridge</c>, on Windows <c>%LOCALAPPDATA%\latentbridge</c>; null where there is none.</summary>
    public static string? FolderIn(string? data)
    {
        string ofUser = Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify);
        return data is not null ? Path.Combine(data, "calibration") : ofUser.Length > 0 ? Path.Combine(ofUser, "latentbridge", "calibration") : null;
    }

    /// <summary>What was learned; null when nothing was.</summary>
    /// <exception cref="LatentBridgeException">The file is of no use.</exception>
    public Fitting.Calibration? Read(LatentFormat format, string model) =>
        folder is not null && PathOf(format, model) is var path && File.Exists(path) ? Fitting.Calibration.Read(path, format.PlaneChannels) : null;

    /// <summary>Keeps what was learned.</summary>
    /// <exception cref="LatentBridgeException">The file cannot be written.</exception>
    public void Write(LatentFormat format, string model, Fitting.Calibration calibration)
    {
        if (folder is null)
        {
            return;
        }

        try
        {
            MakePrivate(folder);
            string path = PathOf(format, model);
            calibration.Write(path, format.Id, model);
            if (!OperatingSystem.IsWindows())
            {
                File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            }

            Trim(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new LatentBridgeException($"{folder}: cannot be written to ({e.Message.TrimEnd('.')}); what was learned is forgotten at the end.", e);
        }
    }

    string PathOf(LatentFormat format, string model)
    {
        string key = string.Create(CultureInfo.InvariantCulture, $"{format.Id}\n{format.PlaneChannels}\n{model}");
        return Path.Combine(folder!, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)))[..32] + Ending);
    }

    // The folder that holds it as well: who may write there could put another in its place. On Windows both inherit the profile's rights.
    static void MakePrivate(string folder)
    {
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(folder);
            return;
        }

        const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        if (Path.GetDirectoryName(folder) is { Length: > 0 } parent && !Directory.Exists(parent))
        {
            Directory.CreateDirectory(parent, Private);
        }

        Directory.CreateDirectory(folder, Private);
        File.SetUnixFileMode(folder, Private);
    }

    static void Trim(string folder)
    {
        foreach (FileInfo left in new DirectoryInfo(folder).GetFiles("*" + Ending + ".*.partial").Where(file => DateTime.UtcNow - file.LastWriteTimeUtc > LongestWrite))
        {
            left.Delete(); // by a program that was killed while it wrote
        }

        long bytes = 0;
        int files = 0;
        foreach (FileInfo file in new DirectoryInfo(folder).GetFiles("*" + Ending).OrderByDescending(file => file.LastWriteTimeUtc))
        {
            bytes += file.Length;
            if (++files > MaximumFiles || bytes > MaximumBytes)
            {
                file.Delete();
            }
        }
    }
}
