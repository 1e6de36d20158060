using System.Diagnostics;
using System.Text;
using System.Text.Json;
using LatentBridge.Host.Tests.Serve;

namespace LatentBridge.Host.Tests;

/// <summary>What the program writes into a pipe, in a locale that is not UTF-8 (as a code page on Windows is not).</summary>
public sealed class StandardStreamsTests : IDisposable
{
    const string Name = "größer 縮小 ✓.npy";

    readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("latentbridge-streams-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Results_are_UTF8_without_a_byte_order_mark()
    {
        string path = Path.Combine(_folder.FullName, Name);
        byte[] header = Encoding.ASCII.GetBytes("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 4, 2, 2), }".PadRight(117) + "\n");
        File.WriteAllBytes(path, [0x93, .. "NUMPY"u8, 1, 0, (byte)header.Length, 0, .. header, .. new byte[64]]);
        (byte[] output, _) = Run("inspect", path, "--json");
        Assert.Equal((byte)'{', output[0]);
        using JsonDocument json = JsonDocument.Parse(Strict(output));
        Assert.Equal(path, json.RootElement.GetProperty("file").GetString());
    }

    [Fact]
    public void Messages_are_UTF8()
    {
        (_, byte[] error) = Run("inspect", Path.Combine(_folder.FullName, Name));
        Assert.Contains(Name, Strict(error));
    }

    [Fact]
    public void The_log_of_the_host_is_UTF8()
    {
        (_, byte[] error) = Run("serve", Name);
        Assert.Contains(Name, Strict(error));
    }

    static string Strict(byte[] bytes) => new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes);

    static (byte[] Output, byte[] Error) Run(params string[] arguments)
    {
        ProcessStartInfo start = new(HostProcess.Command[0], [.. HostProcess.Command[1..], .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["LC_ALL"] = "de_DE.ISO-8859-1";
        using Process process = Process.Start(start)!;
        Task<byte[]> error = Read(process.StandardError);
        byte[] output = Read(process.StandardOutput).GetAwaiter().GetResult();
        process.WaitForExit();
        return (output, error.GetAwaiter().GetResult());
    }

    static async Task<byte[]> Read(StreamReader reader)
    {
        using MemoryStream bytes = new();
        await reader.BaseStream.CopyToAsync(bytes);
        return bytes.ToArray();
    }
}
