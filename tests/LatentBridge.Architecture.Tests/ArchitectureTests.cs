using System.Text.RegularExpressions;
using ArchUnitNET.Domain;
using ArchUnitNET.Loader;
using LatentBridge.Tests;
using Assembly = System.Reflection.Assembly;

namespace LatentBridge.Architecture.Tests;

/// <summary>Which project and which folder may use which: the tables of <c>CONTRIBUTING.md</c>, asserted.</summary>
public sealed partial class ArchitectureTests
{
    /// <summary>The core's folders. Each uses only itself and those above it.</summary>
    static readonly string[] Folders = ["Simd", "Latents", "Formats", "Files", "Networks", "Weights", "Decoders", "Imaging", "Previews"];

    /// <summary>Each project and the others that it may use.</summary>
    static readonly Dictionary<string, string[]> Projects = new()
    {
        ["LatentBridge"] = [],
        ["LatentBridge.Ipc"] = [],
        ["LatentBridge.Fitting"] = ["LatentBridge"],
        ["LatentBridge.Scanning"] = ["LatentBridge"],
        ["LatentBridge.Onnx"] = ["LatentBridge"],
        ["LatentBridge.ImageSharp"] = ["LatentBridge"],
        ["LatentBridge.EmbeddedPython"] = ["LatentBridge"],
        ["LatentBridge.Sessions"] = ["LatentBridge", "LatentBridge.Fitting", "LatentBridge.Ipc"],
        ["LatentBridge.InProcess"] = ["LatentBridge", "LatentBridge.Fitting", "LatentBridge.Ipc", "LatentBridge.Sessions", "LatentBridge.Onnx", "LatentBridge.ImageSharp"],
        ["LatentBridge.Host"] =
            ["LatentBridge", "LatentBridge.Fitting", "LatentBridge.Ipc", "LatentBridge.Scanning", "LatentBridge.Sessions", "LatentBridge.Onnx", "LatentBridge.ImageSharp", "LatentBridge.EmbeddedPython"],
    };

    /// <summary>Projects that use nothing but the base library.</summary>
    static readonly string[] WithoutPackages = ["LatentBridge", "LatentBridge.Ipc", "LatentBridge.Fitting"];

    static readonly string Source = Path.Combine(TestData.RepositoryRoot, "src");

    [Fact]
    public void A_folder_of_the_core_uses_only_those_above_it()
    {
        Assert.Equal(Folders.Order(), Core().Types.Select(Parts).Where(parts => parts is ["LatentBridge", _, ..]).Select(parts => parts[1]).Distinct().Order());
        var back = from type in Core().Types
                   from target in type.Dependencies.Select(dependency => dependency.Target).Distinct()
                   where Rank(type) < Rank(target)
                   select $"{type.FullName} uses {target.FullName}: {Folders[Rank(type)]} stands above {Folders[Rank(target)]} and must not know it";
        AssertNone(back);
    }

    [Fact]
    public void A_decoder_family_does_not_use_another()
    {
        var across = from type in Core().Types
                     from target in type.Dependencies.Select(dependency => dependency.Target).Distinct()
                     where Family(type) is { } family && Family(target) is { } other && family != other
                     select $"{type.FullName} uses {target.FullName}: what both need belongs in Decoders itself";
        AssertNone(across);
    }

    [Fact]
    public void A_project_uses_only_those_that_it_may()
    {
        Assert.Equal(Projects.Keys.Order(), Directory.GetFiles(Source, "*.csproj", SearchOption.AllDirectories).Select(Path.GetFileNameWithoutExtension).Order());
        var forbidden = from project in Projects
                        from used in Assembly.Load(project.Key).GetReferencedAssemblies().Select(reference => reference.Name!)
                        where IsOurs(used) ? !project.Value.Contains(used) : WithoutPackages.Contains(project.Key) && !IsBaseLibrary(used)
                        select $"{project.Key} uses {used}";
        AssertNone(forbidden);
    }

    [Fact]
    public void A_namespace_is_its_folder()
    {
        var astray = from file in Directory.EnumerateFiles(Path.Combine(Source, "LatentBridge"), "*.cs", SearchOption.AllDirectories)
                     let path = Path.GetRelativePath(Source, file).Replace('\\', '/')
                     let stated = Namespace().Match(File.ReadAllText(file))
                     where stated.Success && stated.Groups[1].Value != Path.GetDirectoryName(path)!.Replace('\\', '/').Replace('/', '.')
                     select $"{path} is in namespace {stated.Groups[1].Value}";
        AssertNone(astray);
    }

    /// <summary>A pipe or a device under a file's name must hang nothing: what a user named is opened by <c>RegularFile</c>.</summary>
    [Fact]
    public void Files_that_a_user_named_are_opened_in_one_place()
    {
        // These ask RegularFile first, or open what the program itself or the system wrote.
        string[] others =
        [
            "RegularFile.cs", "TensorBytes.cs", "OnnxFile.cs", "LatentInput.cs", "FormatResources.cs", "ScanReport.cs",
            "PicturePeers.cs", "ReferencePython.cs", "NetworkTurns.cs", "DemoSheets.cs", "ParentWatch.cs", "MachineCheck.cs", "IdleCores.cs",
        ];
        var elsewhere = from file in Directory.EnumerateFiles(Source, "*.cs", SearchOption.AllDirectories)
                        where !others.Contains(Path.GetFileName(file)) && !file.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal)
                        from Match opening in Opening().Matches(File.ReadAllText(file))
                        select $"{Path.GetRelativePath(Source, file)} has {opening.Value}: use RegularFile";
        AssertNone(elsewhere);
    }

    static void AssertNone(IEnumerable<string> faults)
    {
        string all = string.Join(Environment.NewLine, faults.Distinct().Order());
        Assert.True(all.Length == 0, all);
    }

    static ArchUnitNET.Domain.Architecture Core() => new ArchLoader().LoadAssembly(Assembly.Load("LatentBridge")).Build();

    static int Rank(IType type) => Parts(type) is ["LatentBridge", var folder, ..] ? Array.IndexOf(Folders, folder) : -1;

    static string? Family(IType type) => Parts(type) is ["LatentBridge", "Decoders", var family] ? family : null;

    static string[] Parts(IType type) => type.Namespace?.FullName.Split('.') ?? [];

    static bool IsOurs(string assembly) => assembly == "LatentBridge" || assembly.StartsWith("LatentBridge.", StringComparison.Ordinal);

    static bool IsBaseLibrary(string assembly) => assembly is "netstandard" or "mscorlib" || assembly.StartsWith("System.", StringComparison.Ordinal);

    [GeneratedRegex(@"^namespace ([\w.]+);", RegexOptions.Multiline)]
    private static partial Regex Namespace();

    [GeneratedRegex(@"\bFile\.(OpenRead|OpenHandle|OpenText|Open|ReadAllBytes|ReadAllText|ReadAllLines|ReadLines)\(|new (FileStream|StreamReader)\(""?[a-z]|FileStream \w+ = new\(")]
    private static partial Regex Opening();
}
