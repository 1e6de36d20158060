using Newtonsoft.Json.Linq;

namespace LatentBridge.Host.Tests.Commands;

/// <summary>Files as trainers and programs write them, among the test data with what is expected of each.</summary>
public sealed class LatentFileCasesTests : IDisposable
{
    readonly CommandRun _run = new();

    public static TheoryData<int> Cases => [.. Enumerable.Range(0, Expected().Count)];

    public void Dispose() => _run.Dispose();

    [Theory, MemberData(nameof(Cases), DisableDiscoveryEnumeration = true)]
    public void A_file_gives_the_picture_of_its_values(int index)
    {
        CommandRun.TestData("cases", "files");
        JToken expected = Expected()[index];
        string kind = (string)expected["kind"]!, file = CommandRun.TestData("cases", "files", (string)expected["file"]!);
        if (kind is "bridge" or "weights")
        {
            return; // Bridge: python/tests/test_axes.py; weights: LatentBridge.Tests.
        }

        string[] arguments = [.. expected["args"]!.Select(argument => (string)argument!)];
        string folder = Path.Combine(_run.Folder, "found");
        int code = _run.Run(["decode", file, .. arguments, "-d", kind == "any_picture" ? "auto" : "latent2rgb", "-o", folder, "--json"]);
        if (kind == "read_or_listed")
        {
            Assert.True(code == 0 || _run.Error.Contains("Choose with --key", StringComparison.Ordinal), _run.Error);
            return;
        }

        Assert.True(code == 0, _run.Error);
        JToken[] pictures = [.. JObject.Parse(_run.Output)["pictures"]!];
        Assert.Equal((int)expected["pictures"]!, pictures.Length);
        if ((string?)expected["format"] is { } format)
        {
            Assert.Equal(format, (string)pictures[0]["format"]!);
        }

        if ((string?)expected["ref"] is { } reference)
        {
            byte[][] found = Pictures(folder);
            folder = Path.Combine(_run.Folder, "reference");
            Assert.Equal(0, _run.Run("decode", CommandRun.TestData("cases", "files", reference), "-d", "latent2rgb", "-o", folder));
            byte[][] right = Pictures(folder);
            Assert.Equal(right.Length, found.Length);
            for (int i = 0; i < right.Length; i++)
            {
                Assert.True(right[i].Length == found[i].Length, "another size");
                Assert.InRange(right[i].Zip(found[i], static (a, b) => Math.Abs(a - b)).Max(), 0, 1);
            }
        }
    }

    static byte[][] Pictures(string folder) =>
        [.. Directory.GetFiles(folder).Order(StringComparer.Ordinal).Select(file => Imaging.Png.PngReader.Read(File.ReadAllBytes(file)).ToRgb())];

    static JArray Expected()
    {
        string folder = Environment.GetEnvironmentVariable("LATENTBRIDGE_TEST_DATA") ?? Path.Combine(CommandRun.Root, "..", "shared");
        string file = Path.Combine(folder, "cases", "files", "expected.json");
        return File.Exists(file) ? JArray.Parse(File.ReadAllText(file)) : new JArray(new JObject());
    }
}
