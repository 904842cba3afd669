// All kernels of one instruction set: included once by the file of each.

#include "ConvolutionGradient.h"
#include "ConvolutionPass.h"
#include "Gradients.h"
#include "Lanes.h"
#include "Products.h"
