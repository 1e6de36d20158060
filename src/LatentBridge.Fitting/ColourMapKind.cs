namespace LatentBridge.Fitting;

/// <summary>What <see cref="ColourFit"/> can fit, simplest first.</summary>
public enum ColourMapKind
{
    /// <summary>rgb = sum of c_i z_i: three numbers a channel.</summary>
    LinearWithoutBias,

    /// <summary>The same and a bias.</summary>
    Linear,

    /// <summary>Bias, channels and every product of two: 45 numbers for 4 channels.</summary>
    Quadratic,

    /// <summary>The same and every product of three; 105 numbers for 4 channels.</summary>
    Cubic,

    /// <summary>A perceptron of three layers a cell, C-H-H-3 with SiLU.</summary>
    Mlp,

    /// <summary>Bias and the channels of the 3 x 3 cells around each: 111 numbers for 4 channels.</summary>
    Linear3x3,

    /// <summary>A perceptron that looks at the 3 x 3 cells around each, 9C-H-H-3 with SiLU.</summary>
    Mlp3x3,
}
