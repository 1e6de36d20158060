using System.Reflection;
using LatentBridge.Previews;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Memory;

namespace LatentBridge.ImageSharp;

/// <summary>What SixLabors.ImageSharp adds: the one list of this adapter.</summary>
public static class ImageSharpEncoders
{
    /// <summary>The library's version, as <c>2.1.13</c>.</summary>
    public static string Version => FileVersionOf(typeof(Configuration).Assembly);

    /// <summary>Fresh encoders of single pictures: JPEG, WebP.</summary>
    public static IReadOnlyList<IPictureEncoder> Pictures() => [new ImageSharpEncoder(PreviewEncoding.Jpeg), new ImageSharpEncoder(PreviewEncoding.Webp)];

    /// <summary>Encoders of animations: GIF. The library has no animated WebP before its version 3.</summary>
    public static IReadOnlyList<IAnimationEncoder> Animations() => [new GifAnimationEncoder()];

    // The assembly's own version stays at 2.0.0 throughout 2.x.
    static string FileVersionOf(Assembly assembly) =>
        assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? assembly.GetName().Version!.ToString(3);

    /// <summary>How the library works for us. In a separate class: a host that is never asked for these encodings does not load the library.</summary>
    internal static class Library
    {
        /// <summary>No threads beside the caller, who leaves the sampler its cores; one preview's worth of memory kept for the next.</summary>
        internal static readonly Configuration Configuration = new()
        {
            MaxDegreeOfParallelism = 1,
            MemoryAllocator = MemoryAllocator.Create(new MemoryAllocatorOptions { MaximumPoolSizeMegabytes = 16 }),
        };
    }
}
