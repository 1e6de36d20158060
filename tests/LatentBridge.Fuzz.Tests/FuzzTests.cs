using System.Globalization;
using System.IO.MemoryMappedFiles;

namespace LatentBridge.Fuzz.Tests;

/// <summary>Every reader takes or refuses whatever it is given: nothing else is thrown, little memory is taken.</summary>
/// <remarks>
/// The campaign (<c>./campaign.sh</c>) sets <c>LATENTBRIDGE_FUZZ_CASES</c> and <c>LATENTBRIDGE_FUZZ_SECONDS</c> for each reader, <c>LATENTBRIDGE_FUZZ_SEED</c>, and <c>LATENTBRIDGE_FUZZ_REPORT</c>:
/// a folder for one line a reader, and the number of the case a reader is at. <c>LATENTBRIDGE_FUZZ_FIRST</c> begins with a case of that number.
/// </remarks>
public sealed class FuzzTests
{
    static readonly string? Report = Environment.GetEnvironmentVariable("LATENTBRIDGE_FUZZ_REPORT");

    public static TheoryData<string> Names => [.. Targets.All.Select(target => target.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Damaged_bytes_are_taken_or_refused(string name)
    {
        Target target = Targets.All.First(target => target.Name == name);
        using MemoryMappedFile? file = Report is null ? null : MemoryMappedFile.CreateFromFile(Path.Combine(Report, $"{name}.case"), FileMode.Create, null, sizeof(long));
        using MemoryMappedViewAccessor? place = file?.CreateViewAccessor();
        FuzzResult result = Fuzzer.Run(
            target, (int)Number("SEED", 1), Number("FIRST", 0), Number("CASES", 10_000), TimeSpan.FromSeconds(Number("SECONDS", 3600)),
            place is null ? null : number => place.Write(0, number));
        if (Report is not null)
        {
            string line = string.Create(
                CultureInfo.InvariantCulture,
                $$"""{"cases": {{result.Cases}}, "taken": {{result.Taken}}, "slowestMilliseconds": {{result.SlowestMilliseconds:0.0}}, "mostAllocated": {{result.MostAllocated}}}""");
            File.WriteAllText(Path.Combine(Report, $"{name}.json"), line);
        }

        Assert.Null(result.Fault);
    }

    /// <summary>A reader whose seeds are all refused, or whose mutations are, tests nothing.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void Seeds_are_taken_and_some_mutations_too(string name)
    {
        Target target = Targets.All.First(target => target.Name == name);
        Assert.NotEmpty(target.Seeds);
        Assert.Contains(target.Seeds, seed => target.Read([.. seed]));
        Assert.InRange(Fuzzer.Run(target, 2, 0, 1000, TimeSpan.MaxValue).Taken, 1, 999);
    }

    public static TheoryData<string> Regressions => [.. Directory.GetFiles(RegressionsFolder).Select(file => Path.GetFileName(file)!).Order(StringComparer.Ordinal)];

    /// <summary>What once was a fault: <c>READER.WHAT</c>, the reader's name with dashes.</summary>
    [Theory]
    [MemberData(nameof(Regressions))]
    public void What_once_was_a_fault_is_none(string file)
    {
        Target? target = Targets.All.FirstOrDefault(target => file.StartsWith(target.Name.Replace(' ', '-') + ".", StringComparison.Ordinal));
        if (target is not null)
        {
            Assert.Null(Fuzzer.Try(target, File.ReadAllBytes(Path.Combine(RegressionsFolder, file)), file).Fault);
        }
        else
        {
            Assert.Equal("README.md", file);
        }
    }

    static string RegressionsFolder => Path.Combine(TestData.RepositoryRoot, "tests", "LatentBridge.Fuzz.Tests", "Regressions");

    static long Number(string name, long without) =>
        long.TryParse(Environment.GetEnvironmentVariable($"LATENTBRIDGE_FUZZ_{name}"), CultureInfo.InvariantCulture, out long number) ? number : without;
}
