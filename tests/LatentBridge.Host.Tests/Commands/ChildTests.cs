using System.Diagnostics;
using System.Runtime.InteropServices;
using LatentBridge.Fitting;
using LatentBridge.Formats;
using LatentBridge.Latents;
using Newtonsoft.Json.Linq;

namespace LatentBridge.Host.Tests.Commands;

/// <summary>The program as its users start it: a process of its own.</summary>
public sealed class ChildTests : IDisposable
{
    readonly CommandRun _run = new();

    public void Dispose() => _run.Dispose();

    [Fact]
    public void Exit_codes_reach_the_caller()
    {
        Assert.Equal(0, Start("--version").ExitCode);
        Assert.Equal(2, Start("decode", Path.Combine(_run.Folder, "missing.npy")).ExitCode);
        Assert.Equal(2, Start("nonsense").ExitCode);
    }

    [Fact]
    public void A_pipe_gets_plain_lines_and_no_escape_codes()
    {
        (int exitCode, string output, string error) = Start("decode", CommandRun.Example("SDXL_kodim04"), CommandRun.Example("SD3_kodim23"), "-o", _run.Folder, "-d", "latent2rgb");
        Assert.Equal((0, ""), (exitCode, error));
        Assert.Equal(2, output.TrimEnd().Split('\n').Length);
        Assert.DoesNotContain('\e', output);
        Assert.DoesNotContain('│', output);
    }

    [Fact]
    public void A_further_file_of_a_kind_has_a_name_of_its_own_and_so_has_its_picture()
    {
        byte[] weights = File.ReadAllBytes(Path.Combine(CommandRun.Root, "models", "tiny", "tiny-sdxl.safetensors"));
        for (int i = weights.Length / 2; i < weights.Length; i++)
        {
            weights[i] ^= 1;
        }

        File.WriteAllBytes(Path.Combine(_run.Folder, "mine-sdxl.safetensors"), weights);
        ProcessStartInfo start = StartInfo("decode", CommandRun.Example("SDXL_kodim04"), "-o", _run.Folder, "-d", "tiny:tiny-sdxl");
        start.Environment["LATENTBRIDGE_MODELS"] = _run.Folder;
        (int exitCode, string output, string error) = Finish(Process.Start(start)!);
        Assert.Equal((0, ""), (exitCode, error));
        Assert.Contains("tiny:tiny-sdxl (tiny-sdxl.safetensors)", output, StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(_run.Folder, "SDXL_kodim04.tiny-tiny-sdxl.png")));
    }

    [Fact]
    public void The_host_takes_neither_command_line_nor_terminal_library_with_it()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Which files a process has loaded is read from /proc.");
        using Process host = Begin("serve");
        host.StandardInput.Write("""{"jsonrpc":"2.0","id":1,"method":"hello","params":{"protocol":2,"protocolMinimum":2,"client":"test","process":""" + Environment.ProcessId + "}}\n");
        host.StandardInput.Flush();
        Assert.Contains("\"result\"", host.StandardOutput.ReadLine());

        string loaded = File.ReadAllText($"/proc/{host.Id}/maps");
        Assert.Contains("LatentBridge.dll", loaded);
        Assert.DoesNotContain("Spectre.Console", loaded);
        Assert.DoesNotContain("System.CommandLine", loaded);

        host.StandardInput.Close();
        Assert.True(host.WaitForExit(TimeSpan.FromSeconds(20)), "the host does not end with its stdin");
        Assert.Equal(0, host.ExitCode);
    }

    [Fact]
    public void Models_list_shows_what_was_learned_of_models()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Where a user's data lies is set by XDG_DATA_HOME.");
        string folder = Directory.CreateDirectory(Path.Combine(_run.Folder, "latentbridge", "calibration")).FullName;
        Random random = new(1);
        float[] pair = [.. Enumerable.Range(0, 16 * 256).Select(_ => (2 * random.NextSingle()) - 1)];
        Calibration calibration = new(4);
        calibration.Add(CalibrationPair.Read(MemoryMarshal.AsBytes(pair.AsSpan()), LatentElementType.F32, [1, 16, 16, 16], LatentFormats.Get("SDXL")), [], TestContext.Current.CancellationToken);
        calibration.Write(Path.Combine(folder, "a.safetensors"), "SDXL", "mine.safetensors [0123456789]");

        JToken learned = Assert.Single(JObject.Parse(List("--json").Output)["calibrated"]!);
        Assert.Equal(("mine.safetensors [0123456789]", "SDXL", 1, false), ((string)learned["model"]!, (string)learned["format"]!, (int)learned["pictures"]!, (bool)learned["used"]!));
        Assert.Contains(List().Output.Split('\n'), line => line.StartsWith("mine.safetensors [0123456789]  SDXL", StringComparison.Ordinal));
        Assert.Empty(JObject.Parse(List("--json", "-f", "SD15").Output)["calibrated"]!);

        (int ExitCode, string Output, string Error) List(params string[] options)
        {
            ProcessStartInfo start = StartInfo(["models", "list", .. options]);
            start.Environment["XDG_DATA_HOME"] = _run.Folder;
            return Finish(Process.Start(start)!);
        }
    }

    [Fact]
    public void Doctor_finds_the_bundled_weights_and_says_what_is_wrong()
    {
        (int exitCode, string output, _) = Start("doctor", "--json");
        JObject report = JObject.Parse(output);
        Assert.Equal(exitCode == 0, (bool)report["good"]!);
        Assert.Equal("good", report["findings"]!.Single(finding => (string)finding["subject"]! == "bundled weights")["state"]);
        Assert.All(report["findings"]!.Where(finding => (string)finding["state"]! == "bad"), finding => Assert.NotEqual("", (string)finding["mend"]!));
    }

    [Fact]
    public void Doctor_without_Python_says_what_to_install()
    {
        ProcessStartInfo start = StartInfo("doctor");
        start.Environment["PATH"] = _run.Folder;
        start.Environment["LATENTBRIDGE_PYTHON"] = "";
        (int exitCode, string output, _) = Finish(Process.Start(start)!);
        Assert.Equal(0, exitCode);
        Assert.Contains("Python 3.10 or newer", output);
    }

    [Fact]
    public void Demo_without_Python_fails_with_what_to_install()
    {
        ProcessStartInfo start = StartInfo("demo", "-o", _run.Folder);
        start.Environment["PATH"] = _run.Folder;
        start.Environment["LATENTBRIDGE_PYTHON"] = "";
        (int exitCode, string output, string error) = Finish(Process.Start(start)!);
        Assert.Equal((1, ""), (exitCode, output));
        Assert.Contains("needs Python 3.10 or newer", error);
    }

    [Fact]
    public void Demo_sends_every_example_through_the_bridge_and_makes_sheets_and_time_lapses()
    {
        Assert.SkipUnless(HasPython(), "Python 3 is not on PATH.");

        // A folder of that name where the user stands must not be taken for the Python package.
        string decoy = Path.Combine(_run.Folder, "latentbridge");
        Directory.CreateDirectory(decoy);
        File.WriteAllText(Path.Combine(decoy, "__init__.py"), "");
        ProcessStartInfo start = StartInfo("demo", "-o", _run.Folder);
        start.WorkingDirectory = _run.Folder;

        (int exitCode, string output, string error) = Finish(Process.Start(start)!);
        Assert.True(exitCode == 0, error);
        foreach (string model in (string[])["SD15", "SDXL", "SD3", "Flux", "Flux2"])
        {
            Assert.Contains(output.Split('\n'), line => line.StartsWith(model + " ", StringComparison.Ordinal) && line.Contains("8 of 8", StringComparison.Ordinal));
            Assert.True(CommandRun.PngSize(Path.Combine(_run.Folder, $"{model}.sheet.png")).Width > 1000);
            Assert.Equal((512, 512), CommandRun.PngSize(Path.Combine(_run.Folder, $"{model}.time-lapse.png")));
        }

        Assert.Contains(_run.Folder, output);
    }

    [Fact]
    public void Decode_follows_a_folder_until_it_is_told_to_end()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no signal that one program sends to another.");
        string cache = Directory.CreateDirectory(Path.Combine(_run.Folder, "cache")).FullName, pictures = Path.Combine(_run.Folder, "pictures");
        string source = CommandRun.Example("SDXL_kodim04");
        File.Copy(source, Path.Combine(cache, "first.safetensors"));
        using Process process = Begin("decode", cache, "--follow", "-o", pictures, "-d", "latent2rgb");
        WaitForPicture("first");
        File.Copy(source, Path.Combine(cache, "second.safetensors"));
        WaitForPicture("second");

        using (Process kill = Process.Start("kill", ["-TERM", $"{process.Id}"]))
        {
            kill.WaitForExit();
        }

        Assert.Equal(0, Finish(process).ExitCode);
        Assert.Equal(2, Directory.GetFiles(pictures).Length);

        void WaitForPicture(string name) => Assert.True(
            SpinWait.SpinUntil(() => process.HasExited || (Directory.Exists(pictures) && Directory.GetFiles(pictures, $"{name}*").Any(file => new FileInfo(file).Length > 0)), 60_000)
                && !process.HasExited,
            $"no picture of {name}");
    }

    static bool HasPython()
    {
        try
        {
            return Finish(Process.Start(new ProcessStartInfo("python3", "--version") { RedirectStandardOutput = true, RedirectStandardError = true })!).ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }

    static ProcessStartInfo StartInfo(params string[] arguments)
    {
        string program = Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "LatentBridge.Host.exe" : "LatentBridge.Host");
        return new(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
    }

    static Process Begin(params string[] arguments) => Process.Start(StartInfo(arguments))!;

    static (int ExitCode, string Output, string Error) Start(params string[] arguments) => Finish(Begin(arguments));

    static (int ExitCode, string Output, string Error) Finish(Process process)
    {
        using (process)
        {
            if (process.StartInfo.RedirectStandardInput)
            {
                process.StandardInput.Close();
            }

            Task<string> error = process.StandardError.ReadToEndAsync();
            string output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return (process.ExitCode, output, error.Result);
        }
    }
}
