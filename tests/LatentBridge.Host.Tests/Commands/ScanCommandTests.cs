using System.Diagnostics;
using System.Text.Json;
using LatentBridge.Files;
using LatentBridge.Host.Bench;
using LatentBridge.Host.Tests.Serve;

namespace LatentBridge.Host.Tests.Commands;

/// <summary><c>scan</c> over small data sets.</summary>
public sealed class ScanCommandTests
{
    [Fact]
    public void Planted_faults_are_found_and_nothing_else()
    {
        foreach (PlantedBench.Row row in PlantedBench.Measure(600, 3))
        {
            Assert.True(row is { Planted: >= 15, Recall: >= 0.99, Precision: >= 0.99 }, row.ToString());
        }
    }

    [Fact]
    public void A_sound_folder_ends_with_0_and_a_fault_with_1()
    {
        using CommandRun run = new();
        string folder = Dataset(run, 3);
        Assert.Equal(ExitCode.Done, run.Run("scan", folder));
        Assert.Contains("3 latents, nothing wrong", run.Output, StringComparison.Ordinal);

        WriteLatent(Path.Combine(folder, "d.safetensors"), 7, values => values[5] = float.NaN);
        Assert.Equal(ExitCode.Failed, run.Run("scan", folder));
        Assert.Contains("d.safetensors [0]: nan (1 of 1024 values NaN)", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_broken_file_is_one_line_and_the_scan_goes_on()
    {
        using CommandRun run = new();
        string folder = Dataset(run, 2);
        File.WriteAllText(Path.Combine(folder, "a-broken.safetensors"), "nothing of the kind");
        File.WriteAllBytes(Path.Combine(folder, "b-empty.npz"), []);
        Assert.Equal(ExitCode.Failed, run.Run("scan", folder, "--json"));
        JsonElement[] lines = Lines(run);
        Assert.Equal(4, lines.Length);
        Assert.Equal(2, lines.Count(line => line.TryGetProperty("error", out _)));
        Assert.All(lines, line => Assert.Equal(0, line.GetProperty("item").GetInt32()));
    }

    [Fact]
    public void Csv_has_a_line_for_each_latent_and_quotes_what_it_must()
    {
        using CommandRun run = new();
        string folder = Dataset(run, 1);
        File.Move(Path.Combine(folder, "0.safetensors"), Path.Combine(folder, "a,b.safetensors"));
        Assert.Equal(ExitCode.Done, run.Run("scan", folder, "--csv"));
        string[] lines = run.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(2, lines.Length);
        Assert.StartsWith($"\"{Path.Combine(folder, "a,b.safetensors")}\",0,latent,,", lines[1], StringComparison.Ordinal);
    }

    [Fact]
    public void A_scan_goes_on_where_it_was_and_finds_copies_of_what_it_had()
    {
        using CommandRun run = new();
        string folder = Dataset(run, 3), report = Path.Combine(run.Folder, "report");
        run.Run("scan", folder, "-o", report, "--json");
        Assert.Equal(3, Lines(run).Length);

        File.Copy(Path.Combine(folder, "1.safetensors"), Path.Combine(folder, "9.safetensors"));
        Assert.Equal(ExitCode.Failed, run.Run("scan", folder, "-o", report, "--json"));
        JsonElement line = Assert.Single(Lines(run));
        Assert.Equal("duplicate", line.GetProperty("faults")[0].GetString());
        Assert.Contains("1.safetensors", line.GetProperty("details")[0].GetString(), StringComparison.Ordinal);
        Assert.Contains("9.safetensors", File.ReadAllText(Path.Combine(report, "index.html")), StringComparison.Ordinal);

        WriteLatent(Path.Combine(folder, "1.safetensors"), 50, static _ => { });
        Assert.Equal(ExitCode.Failed, run.Run("scan", folder, "-o", report, "--json"));
        Assert.EndsWith("1.safetensors", Assert.Single(Lines(run)).GetProperty("file").GetString(), StringComparison.Ordinal);

        Assert.Equal(ExitCode.Failed, run.Run("scan", folder, "-o", report, "--space", "vae"));
        Assert.Contains("other settings", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void After_a_kill_finished_shards_are_not_scanned_again()
    {
        using CommandRun run = new();
        string folder = Dataset(run, 400), report = Path.Combine(run.Folder, "report"), lines = Path.Combine(report, "report.jsonl");
        using (Process child = Process.Start(new ProcessStartInfo(HostProcess.Command[0], ["scan", folder, "-o", report, "--threads", "1", "--json"]) { RedirectStandardOutput = true })!)
        {
            // A line on stdout means that the report is under way; then it is ended as hard as can be.
            for (int i = 0; i < 20; i++)
            {
                Assert.NotNull(child.StandardOutput.ReadLine());
            }

            child.Kill();
            child.WaitForExit();
        }

        File.AppendAllText(lines, "{\"file\":\"cut off in the mid");
        int finished = File.ReadLines(lines).Count(line => line.StartsWith("{\"shard\"", StringComparison.Ordinal));
        run.Run("scan", folder, "-o", report, "--json");
        Assert.Equal(400 - finished, Lines(run).Length);
        Assert.Equal(400, File.ReadLines(lines).Count(line => line.StartsWith("{\"shard\"", StringComparison.Ordinal)));
        Assert.Equal(400, File.ReadLines(lines).Count(line => line.StartsWith("{\"file\"", StringComparison.Ordinal)));
    }

    [Fact]
    public void Partial_reports_merge_to_that_of_one_scan()
    {
        using CommandRun run = new();
        string a = Dataset(run, 3, "a"), b = Dataset(run, 2, "b", first: 20);
        File.Copy(Path.Combine(a, "2.safetensors"), Path.Combine(b, "99.safetensors"));
        run.Run("scan", a, "-o", Path.Combine(run.Folder, "ra"));
        Assert.Equal(ExitCode.Done, run.Run("scan", b, "-o", Path.Combine(run.Folder, "rb")));
        run.Run("scan", a, b, "--json");
        string whole = run.Output;

        Assert.Equal(ExitCode.Failed, run.Run("scan", "--merge", Path.Combine(run.Folder, "ra"), Path.Combine(run.Folder, "rb", "report.jsonl"), "--json"));
        Assert.Equal(whole, run.Output);
        Assert.Contains("duplicate", whole, StringComparison.Ordinal);
    }

    [Fact]
    public void Nothing_to_scan_is_wrong_usage()
    {
        using CommandRun run = new();
        Assert.Equal(ExitCode.Usage, run.Run("scan", run.Folder));
        Assert.Equal(ExitCode.Usage, run.Run("scan", Path.Combine(run.Folder, "missing")));
    }

    [Fact]
    public void A_data_set_is_only_read()
    {
        using CommandRun run = new();
        string folder = Dataset(run, 2), preview = Path.Combine(run.Folder, "preview");
        DateTime[] before = [.. Directory.GetFiles(folder).Order(StringComparer.Ordinal).Select(File.GetLastWriteTimeUtc)];
        run.Run("scan", folder, "--preview", preview, "--size", "32");
        Assert.Equal(before, Directory.GetFiles(folder).Order(StringComparer.Ordinal).Select(File.GetLastWriteTimeUtc));
        Assert.Equal(2, Directory.GetFiles(preview, "*.png", SearchOption.AllDirectories).Length);
    }

    [Fact]
    public void Thumbnails_of_shards_with_the_same_name_lie_apart()
    {
        using CommandRun run = new();
        Dataset(run, 1, Path.Combine("a", "cache"));
        Dataset(run, 1, Path.Combine("b", "cache"));
        string preview = Path.Combine(run.Folder, "preview");
        run.Run("scan", Path.Combine(run.Folder, "a"), Path.Combine(run.Folder, "b", "cache", "0.safetensors"), "--preview", preview);
        Assert.Equal(
            [Path.Combine("a", "cache", "0.safetensors.0.png"), Path.Combine("b", "cache", "0.safetensors.0.png")],
            Directory.GetFiles(preview, "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(preview, file)).Order(StringComparer.Ordinal));

        run.Run("scan", Path.Combine(run.Folder, "a"), "--preview", Path.Combine(run.Folder, "other"));
        Assert.True(File.Exists(Path.Combine(run.Folder, "other", "cache", "0.safetensors.0.png")));
    }

    /// <summary>Latents that are encoded from the pictures beside them, two of them changed over.</summary>
    [Fact]
    public void A_picture_that_belongs_to_another_latent_is_told()
    {
        using CommandRun run = new();
        string folder = Dataset(run, 4), pictures = Path.Combine(run.Folder, "pictures");
        Assert.Equal(ExitCode.Done, run.Run(["decode", .. Directory.GetFiles(folder), "--decoder", "latent2rgb", "-o", pictures]));
        string[] images = [.. Directory.GetFiles(pictures).Order(StringComparer.Ordinal)];
        for (int i = 0; i < images.Length; i++)
        {
            File.Move(images[i], Path.Combine(pictures, $"{(i < 2 ? 1 - i : i)}.png"));
        }

        Assert.Equal(ExitCode.Failed, run.Run("scan", folder, "--images", pictures, "--json"));
        Assert.Equal(["picture", "picture", "", ""], Lines(run).Select(line => string.Join(' ', line.GetProperty("faults").EnumerateArray())));
    }

    static string Dataset(CommandRun run, int count, string name = "set", int first = 0)
    {
        string folder = Directory.CreateDirectory(Path.Combine(run.Folder, name)).FullName;
        for (int i = first; i < first + count; i++)
        {
            WriteLatent(Path.Combine(folder, $"{i}.safetensors"), i, static _ => { });
        }

        return folder;
    }

    /// <summary>16 x 16 cells of smooth waves and noise.</summary>
    static void WriteLatent(string path, int seed, Action<float[]> spoil)
    {
        Random random = new(seed);
        float[] values = new float[4 * 16 * 16];
        for (int channel = 0; channel < 4; channel++)
        {
            (float u, float v, float phase) = (0.6f * random.NextSingle(), 0.6f * random.NextSingle(), 6 * random.NextSingle());
            for (int i = 0; i < 256; i++)
            {
                values[(channel * 256) + i] = MathF.Sin((u * (i % 16)) + (v * (i / 16)) + phase) + (0.4f * random.NextSingle());
            }
        }

        spoil(values);
        SafetensorsWriter.Write(
            path, [StoredTensor.FromValues("latent", values, [4, 16, 16], TensorElementType.F16)], new Dictionary<string, string> { ["latent_format"] = "SDXL" });
    }

    static JsonElement[] Lines(CommandRun run) =>
        [.. run.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement)];
}
